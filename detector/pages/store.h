/*
 * Performing a trapped store without letting other threads at the page.
 *
 * The first rung that works is taken:
 *   pkey       the thread's own rights to the key of sealed pages are widened for one
 *              step. Nothing is decoded, and the page is never open to others; but any
 *              other sealed page that the instruction writes to is written unseen. Only
 *              when asked for: it has not been seen on real hardware.
 *   emulation  the operand's bytes are known, or the instruction is stepped on a copy
 *              of the operand; then the whole operand is written through
 *              /proc/self/mem. Writing only the changed bytes would tear values that
 *              another thread reads.
 *   step       the page is opened, the instruction stepped, the page sealed. Works for
 *              every instruction; other threads' stores meanwhile go unseen.
 */
#ifndef FTSAN_STORE_H
#define FTSAN_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "pages/pages_thread.h"

/**
 * ftsan_store_init() - choose the rungs
 * @choice: "auto", "pkey", "emulate" or "step"; the next rung where the one asked for
 *          does not work
 * Context: start-up, after ftsan_mem_init(). Return: 0; -EINVAL for another word.
 */
int ftsan_store_init(const char *choice);
/* The rung that plain stores take, for the log: "pkey", "emulate" or "step"; with the
 * reason when protection keys were asked for in vain. */
const char *ftsan_store_name(void);

/**
 * ftsan_store_perform() - perform thread->insn's store to @slot
 * @served: 0, or index + 1 of the window's owner who waits for this store
 *
 * Context: signal handler; @slot is pinned and nobody else may change its page.
 * Return:  true when it is done and the instruction behind is next; false when a step
 *          was armed: ftsan_step_finish() or ftsan_step_cancel() will follow.
 */
bool ftsan_store_perform(struct ftsan_thread *thread, uint32_t slot, void *ucontext,
			 uint32_t served);

/**
 * ftsan_store_closed() - perform thread->insn's store to a page that the kernel won't
 * open
 *
 * With RLIMIT_DATA used up, mprotect(PROT_WRITE) fails until the program frees memory: a
 * store to a page that is not guarded any more would fault for ever.
 *
 * Context: signal handler; @slot is pinned, and belongs to no window.
 * Return:  true when the pin can go: it is done, or (where it can't be emulated) to be
 *          tried again; false when a step was armed.
 */
bool ftsan_store_closed(struct ftsan_thread *thread, uint32_t slot, void *ucontext);

/*
 * Lets a read through that does not collide: page readable, one step, page inaccessible
 * again if the window still lasts. Signal handler. Return: false when it must fault
 * again.
 */
bool ftsan_step_pass(struct ftsan_thread *thread, uint32_t slot, void *ucontext);

/* Lets a colliding read through: page readable, one step. Signal handler. */
void ftsan_step_serve(struct ftsan_thread *thread, uint32_t slot, void *ucontext,
		      uint32_t served);

/**
 * ftsan_step_finish() - the stepped instruction is done
 * Context: SIGTRAP handler. Return: false when the thread was not stepping.
 * Afterwards thread->step still names the slot, which the caller unpins.
 */
bool ftsan_step_finish(struct ftsan_thread *thread, void *ucontext);

/* The stepped instruction faulted (or will never trap): as if it had not begun. */
bool ftsan_step_cancel(struct ftsan_thread *thread, void *ucontext);

#endif
