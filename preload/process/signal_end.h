/*
 * Whoever wants to know that the process dies of a signal: told by this room, because the
 * rooms above it know what there is to be said.
 */
#ifndef FTSAN_PRELOAD_SIGNAL_END_H
#define FTSAN_PRELOAD_SIGNAL_END_H

#include <signal.h>

/**
 * struct ftsan_signal_end - what is called; all async-signal-safe
 * @dying:    nobody handles @sig: on its return the process dies of it
 * @suspect:  the handler @act of the program is about to get @sig
 * @survived: a handler of the program has come back
 * @leaving:  a thread is about to end the process by exit()
 */
struct ftsan_signal_end {
	void (*dying)(int sig, const siginfo_t *info, const void *uc);
	void (*suspect)(int sig, const siginfo_t *info, const void *uc,
			const struct sigaction *act);
	void (*survived)(void);
	void (*leaving)(void);
};

/* @end stays. Context: activation, any time. */
void ftsan_signal_tell_end(const struct ftsan_signal_end *end);

/* For the room: each does nothing while there is nobody to be told. */
void ftsan_signal_dying(int sig, const siginfo_t *info, const void *uc);
void ftsan_signal_suspect(int sig, const siginfo_t *info, const void *uc,
			  const struct sigaction *act);
void ftsan_signal_survived(void);
void ftsan_signal_leaving(void);

/*
 * The process is to die of @sig: on the handler's return the kernel does what it would
 * have done, with the registers and the details of the first time. Async-signal-safe.
 */
void ftsan_signal_die(int sig, const siginfo_t *info, void *uc);

#endif
