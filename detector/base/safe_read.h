/*
 * Reading memory that may not be there.
 *
 * Objects of the target program can be freed by another thread while we look at
 * them. The copy loop below is the only code allowed to touch such memory: when it
 * faults, the SIGSEGV handler sees that the instruction lies inside the loop and
 * makes the call return -EFAULT instead. That is as safe as process_vm_readv(2) on
 * oneself, without its system call, and works where seccomp forbids that one.
 */
#ifndef FTSAN_BASE_SAFE_READ_H
#define FTSAN_BASE_SAFE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * ftsan_safe_read() - copy from an address that may be unmapped or inaccessible
 * @to:         own memory, @size_bytes long
 * @from:       any address
 * @size_bytes: may be 0
 *
 * Context: any thread, async-signal-safe; needs a SIGSEGV (and SIGBUS) handler that
 *          calls ftsan_safe_read_fixup(), with SIGSEGV not blocked.
 * Return:  0, or -EFAULT with the content of @to undefined.
 */
int ftsan_safe_read(void *to, const void *from, size_t size_bytes);

/**
 * ftsan_safe_read_fixup() - divert a fault inside ftsan_safe_read()
 * @context: the ucontext_t of the signal
 *
 * Context: the signal handler, first thing.
 * Return:  true if the fault was ours; the handler returns at once then.
 */
bool ftsan_safe_read_fixup(void *context);

/*
 * From now on reads are made through /proc/self/mem, where it can be had, and don't fault:
 * for when the handler is about to be given back. A thread may still be in the middle of
 * one that does. Context: normal context.
 */
void ftsan_safe_read_by_calls(bool calls);

/* One pointer-sized or 32-bit value; false when unreadable. */
static inline bool ftsan_safe_u64(uintptr_t address, uint64_t *out)
{
	return ftsan_safe_read(out, (const void *)address, sizeof(*out)) == 0;
}

static inline bool ftsan_safe_ptr(uintptr_t address, uintptr_t *out)
{
	return ftsan_safe_read(out, (const void *)address, sizeof(*out)) == 0;
}

static inline bool ftsan_safe_i32(uintptr_t address, int32_t *out)
{
	return ftsan_safe_read(out, (const void *)address, sizeof(*out)) == 0;
}

/* A NUL-terminated string, cut to fit and always terminated; false if unreadable. */
bool ftsan_safe_string(char *to, size_t capacity_bytes, uintptr_t from);

#endif
