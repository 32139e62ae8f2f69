/*
 * Memory protection keys (x86-64 CPUs with `pku`): sealed pages stay read/write for the
 * kernel, but carry a key whose writes each thread's own PKRU register denies. So one
 * thread can be let through for one instruction, and nobody else.
 *
 * What the kernel does with PKRU, and what has to be made good here:
 *   - a new thread inherits it: denying writes before the first thread is enough;
 *   - every signal handler is entered with it reset, where all keys but 0 deny reads,
 *     too. Our handlers call ftsan_pkey_enter(); a read of anybody else's that faults
 *     for that is repaired in its frame and repeated (ftsan_pkey_allow_reads());
 *   - the interrupted code's value is in the XSAVE area of the signal frame, and counts
 *     only when its bit in the area's header is set.
 *
 * Seen under an emulated CPU only, never on real hardware: so store=auto does not take
 * it.
 */
#ifndef FTSAN_PKEY_H
#define FTSAN_PKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What PKRU's two bits of a key deny. */
enum ftsan_pkey_denied {
	FTSAN_PKEY_DENIES_NOTHING = 0,
	FTSAN_PKEY_DENIES_ALL = 1,
	FTSAN_PKEY_DENIES_WRITES = 2,
};

/* --- pure ----------------------------------------------------------------------- */

static inline uint32_t ftsan_pkru_denied(uint32_t pkru, unsigned key)
{
	return pkru >> 2 * key & 3;
}

static inline uint32_t ftsan_pkru_with(uint32_t pkru, unsigned key,
				       enum ftsan_pkey_denied denied)
{
	return (pkru & ~(3u << 2 * key)) | (uint32_t)denied << 2 * key;
}

/**
 * ftsan_xstate_get_pkru() - the PKRU of a signal frame
 * @xstate: uc_mcontext.fpregs, may be NULL
 * @offset: of PKRU in an XSAVE area of the standard format
 * Return:  false when the frame has no place for it.
 */
bool ftsan_xstate_get_pkru(const void *xstate, uint32_t offset, uint32_t *pkru);
bool ftsan_xstate_set_pkru(void *xstate, uint32_t offset, uint32_t pkru);

/* --- the process's key ---------------------------------------------------------- */

/**
 * ftsan_pkey_init() - allocates the key, and denies its writes to the calling thread
 * Context: start-up, before there are other threads.
 * Return:  0; -ENOTSUP when the CPU or the kernel has none, -ENOSPC when all are taken.
 */
int ftsan_pkey_init(void);
/* Gives the key back; no page may carry it. For tests, and a start that fails. */
void ftsan_pkey_exit(void);
/* The key, or 0 when there is none. */
unsigned ftsan_pkey(void);

/* mprotect() and a key in one. Return: 0 or -errno. Async-signal-safe. */
int ftsan_pkey_protect(void *base, size_t size_bytes, int protection, unsigned key);

/* All below: signal handlers, and nothing happens without a key. */

/* Lets the handler that calls it read sealed pages. */
void ftsan_pkey_enter(void);
/* Return: true when reads were denied to the interrupted code, and are no more. */
bool ftsan_pkey_allow_reads(void *ucontext);
/* The interrupted code may write to sealed pages; false when the frame has no PKRU. */
bool ftsan_pkey_open(void *ucontext);
/* Not any more. */
void ftsan_pkey_close(void *ucontext);

#endif
