/*
 * One hardware watchpoint: a perf event of the calling thread on a descriptor.
 *
 * The event belongs to the thread that opened it (never inherited), counts user mode
 * only, so that perf_event_paranoid=2 allows it without privileges, and raises SIGTRAP
 * with si_code TRAP_PERF after the access (perf_event_open(2), `sigtrap`; Linux 5.13).
 *
 * A program may close any descriptor, or put a file of its own in its place. Every
 * event has a number that the kernel never gives twice; it is compared before anything
 * is asked of the descriptor (0.4 us here, and fstat can't help: all anonymous inodes
 * are one). PERF_EVENT_IOC_ID itself is refused by every other kind of file.
 *
 * Context of everything: the owning thread, async-signal-safe, but for what says more.
 */
#ifndef FTSAN_WATCH_PERF_H
#define FTSAN_WATCH_PERF_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* A zeroed one holds nothing. */
struct ftsan_perf_event {
	int number_plus_1;
	uint64_t id;
};

/**
 * struct ftsan_perf_target - what an event watches
 * @address: aligned to @length
 * @length:  1, 2, 4 or 8 bytes
 * @reads:   loads count, too; x86-64 can't watch loads alone
 * @everyone: not only the thread that opens the event, but those, too, that it makes from
 *           then on, and theirs (never a forked process): whoever makes the access gets
 *           the signal. One descriptor aims and rests all of them. Opened resting, and to
 *           be aimed only when it rests, which is half the price. Must stay what it is
 * @data:    comes back in the signal
 */
struct ftsan_perf_target {
	uintptr_t address;
	uint8_t length;
	bool reads;
	bool everyone;
	uint64_t data;
};

/**
 * struct ftsan_perf_signal - what SIGTRAP tells of an event
 * @async: SIGTRAP was blocked at the access: the context is of a later moment
 */
struct ftsan_perf_signal {
	uintptr_t address;
	uint64_t data;
	bool async;
};

/* Opens an event that watches from now on. Return: 0 or -errno, nothing held then. */
int ftsan_perf_open(struct ftsan_perf_event *event, const struct ftsan_perf_target *to);

/* Is the descriptor still this event's? Any thread. */
bool ftsan_perf_is_ours(const struct ftsan_perf_event *event);

/* Watches something else from now on. Return: 0; -EBADF when the descriptor is lost;
 * another -errno when the kernel refuses the target: nothing is watched then. */
int ftsan_perf_aim(const struct ftsan_perf_event *event,
		   const struct ftsan_perf_target *to);

/* Watches nothing until it is aimed again. Return: 0 or -EBADF. */
int ftsan_perf_rest(const struct ftsan_perf_event *event);

/* Closes the descriptor if it is still ours, and forgets it. Any thread. In the child of
 * a fork: the parent's event goes on. */
void ftsan_perf_close(struct ftsan_perf_event *event);

/* False when the signal is none of a breakpoint event. Pure. */
bool ftsan_perf_signal_read(const siginfo_t *info, struct ftsan_perf_signal *out);

#endif
