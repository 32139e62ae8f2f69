/*
 * The room of what the preloaded object calls: the whole of the detector seen from
 * outside. Everything platform-given (symbols found by dlsym, environment, thread
 * creation) comes in through these calls; the detector itself asks for nothing. Here the
 * rooms are told what they want to know of each other.
 *
 * May use: every other room.
 * Held: nothing, but around a fork: see ftsan_runtime_fork_prepare().
 */
#ifndef FTSAN_RUNTIME_H
#define FTSAN_RUNTIME_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "runtime/children.h"
#include "runtime/host.h"
#include "stacks/stacks.h"

/**
 * ftsan_runtime_start() - make the detector ready
 * @host, @options: borrowed, must stay
 *
 * In a process that was attached to it begins halted: see ftsan_runtime_halt().
 *
 * Context: once, and again after ftsan_runtime_stop(); normal context, before any hook
 *          calls in; the SIGSEGV handler is already installed. May map memory and open
 *          files; no malloc. The arena stays as large as the first time.
 * Return:  0; -errno when nothing can be detected here (the process runs on as bare).
 */
int ftsan_runtime_start(const struct ftsan_host *host,
			const struct ftsan_options *options);
bool ftsan_runtime_active(void);

/*
 * The handlers' part. Context: signal handler on the faulting thread. Return: true when
 * the signal was ours and the handler must return at once; false: it is the program's.
 * runtime_fault also cancels a store that was being stepped when the program's own
 * fault came up in it. runtime_walk_fault: the unwinder may go on reading; asked first.
 * runtime_look_fault: so may who looks at what a thread does at the process's end; asked
 * before a read that may fail is taken for one that has.
 */
bool ftsan_runtime_look_fault(const siginfo_t *info, const void *ucontext);
bool ftsan_runtime_walk_fault(const siginfo_t *info, const void *ucontext);
bool ftsan_runtime_fault(siginfo_t *info, void *ucontext);
bool ftsan_runtime_trap(siginfo_t *info, void *ucontext);

/* Layouts of this interpreter. Valid after ftsan_runtime_start(). */
static inline const struct ftsan_pyabi *ftsan_runtime_abi(void)
{
	return &ftsan_abi;
}
const struct ftsan_host *ftsan_runtime_host(void);

/* Some periods of the scout at once: publishes what is old enough, expires what is
 * overdue. Context: the scout thread, or (no scout) any thread; never in a handler. */
void ftsan_runtime_tick(uint32_t periods);

/* How many periods the scout may sleep now: one once two threads work on arrays or raise
 * exceptions (ftsan_worker_begin()), some before. */
uint32_t ftsan_runtime_pace(void);

/* A scout runs, so that allocations need not look at the clock. */
void ftsan_runtime_scout(bool running);

/* After dlopen, dlclose: normal context. */
void ftsan_runtime_modules_changed(void);

/*
 * Around a dlclose: between the two nobody touches the text and data of modules by
 * itself, and what is gone then is forgotten. @is_loaded is asked for one address of
 * each. Context: normal context.
 */
void ftsan_runtime_unload_begin(void);
void ftsan_runtime_unload_end(bool (*is_loaded)(uintptr_t address));

/**
 * struct ftsan_thread_start - what is known of a thread before it begins
 * @counted: ftsan_sampler_thread_coming()
 * @stack_begin, @stack_end: its stack; 0: not known
 */
struct ftsan_thread_start {
	bool counted;
	uintptr_t stack_begin, stack_end;
};

/*
 * A thread with this first function is about to be started: before it runs, by whom
 * starts it, in normal context. What it answers belongs into ftsan_thread_start, or is
 * taken back.
 */
bool ftsan_runtime_thread_coming(uintptr_t routine);
void ftsan_runtime_thread_failed(bool counted);

/* First and last thing a thread of the program does; normal context of that thread.
 * A thread that was never announced is noticed when it first needs a record. */
void ftsan_runtime_thread_begin(const struct ftsan_thread_start *start);
void ftsan_runtime_thread_end(void);

/* Around fork(); prepare comes after the scout was stopped. */
void ftsan_runtime_fork_prepare(void);
void ftsan_runtime_fork_parent(void);
void ftsan_runtime_fork_child(void);

/*
 * Detaching, in this order; ftsan_runtime_start() may follow.
 *
 * ftsan_runtime_halt() - from now on nothing is guarded or watched anew; false: takes
 *          that back. Sealed pages are opened by ftsan_runtime_open(), which returns
 *          false as long as a store in progress needs one: again, then
 * ftsan_runtime_leave() - is the calling thread out of the engines? With @force one that
 *          is inside of an operation counts as out, too. To be called, once halted, in
 *          a handler that interrupted the thread outside of libftsan.so: what it watches
 *          ends with this. A thread that was out stays out while halted, once the pages
 *          are open. Async-signal-safe
 * ftsan_runtime_stop() - writes `coverage` and `end` and closes the log. Every thread is
 *          out. Returns the number of distinct findings
 * ftsan_runtime_live() - guarded buffers that the program has not freed
 */
void ftsan_runtime_halt(bool halt);
bool ftsan_runtime_open(void);
bool ftsan_runtime_leave(bool force);
unsigned ftsan_runtime_stop(void);
uint32_t ftsan_runtime_live(void);

/**
 * ftsan_runtime_end() - write `coverage` and `end`
 * @reason: "exit", "_exit", "exec" or "detach"
 * @status: exit status, -1 when unknown
 *
 * Context: normal or signal context; only the first call in a process writes (an exec
 *          that failed is taken back with ftsan_runtime_unend()). Does nothing in a
 *          vfork child, whose memory is its parent's.
 * Return:  the number of distinct findings.
 */
unsigned ftsan_runtime_end(const char *reason, int status);
void ftsan_runtime_unend(void);

/* The program was told that a child of its has died of a signal. Context: normal. */
void ftsan_runtime_child_died(int pid, int signal);

/* Is this the process that ftsan_runtime_start() or fork_child() ran in? False in a
 * vfork child and after a raw clone(). Async-signal-safe. */
bool ftsan_runtime_own_process(void);

#endif
