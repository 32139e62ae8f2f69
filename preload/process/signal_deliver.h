/*
 * A signal of ours that is the program's: what the thread has blocked as far as the
 * program knows, and its action, as if the kernel had brought the signal.
 */
#ifndef FTSAN_PRELOAD_SIGNAL_DELIVER_H
#define FTSAN_PRELOAD_SIGNAL_DELIVER_H

#include <signal.h>
#include <stdint.h>

/* Async-signal-safe; in the handler of @sig. */
void ftsan_signal_deliver(int sig, siginfo_t *info, void *uc);

/*
 * Which of the owned signals the calling thread has blocked as far as the program
 * knows. Setting it delivers what came meanwhile. Async-signal-safe.
 */
uint64_t ftsan_signal_blocked(void);
void ftsan_signal_set_blocked(uint64_t bits);

/*
 * The calling process is not the one that ftsan runs in (a vfork child, a raw clone)
 * and is about to change its mask: from here on its real mask counts, and what it
 * inherited as blocked is blocked for real first.
 */
void ftsan_signal_foreign_mask(void);

/*
 * The calling thread was there before us, or stays when we leave: its mask in the frame
 * of the signal that is being handled, @uc, becomes ours, or the program's.
 */
void ftsan_signal_adopt(void *uc);
void ftsan_signal_release(void *uc);

/* The calling thread blocks them from here on as far as the program knows, and nothing
 * is delivered. @bits: of its real mask before we came, or 0 when we go. Return: what it
 * was before. */
uint64_t ftsan_signal_note_blocked(uint64_t bits);

/* What of them a new program has to inherit as blocked. */
uint64_t ftsan_signal_inherited(void);

#endif
