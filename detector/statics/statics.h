/*
 * The room of statics of extension modules: every store to a module's writable data after
 * its import.
 *
 * The pages are made read-only once the module's own initialisation has ended. A store
 * traps, is recorded by word and instruction (which locks were held, what was there, who
 * stored), and is performed. One thread suffices to see what two could do to each other;
 * in race mode a store is held up for a moment, and whoever comes to the same word then
 * has raced.
 *
 * Nothing here knows modules by name or loads anything: preload/statics says which pages.
 *
 * May use: base, rules, budget, decode, stacks, memory, threads, locks, findings, words.
 */
#ifndef FTSAN_STATICS_H
#define FTSAN_STATICS_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

struct ftsan_pyabi;

/**
 * struct ftsan_static_host - what the engine asks of the interpreter; borrowed, must stay
 * @abi:         layouts
 * @interpreter: an address in the object that holds CPython
 * @code_type:   address of PyCode_Type
 * @finalizing:  Py_IsFinalizing or _Py_IsFinalizing; NULL: not known
 * @delays:      threads may be held anywhere (windows, the sampler): between a lock and a
 *               store, too, so that times say nothing of what belongs together
 * @tstate_get, @tstate_gilstate, @own_begin, @own_end: as in struct ftsan_host
 */
struct ftsan_static_host {
	const struct ftsan_pyabi *abi;
	uintptr_t interpreter;
	uintptr_t code_type;
	void *(*tstate_get)(void);
	void *(*tstate_gilstate)(void);
	int (*finalizing)(void);
	bool delays;
	uintptr_t own_begin, own_end;
};

/*
 * Start-up, and again after a detach. @options and @host are borrowed. Return: 0;
 * -ENOMEM.
 */
int ftsan_statics_init(const struct ftsan_options *options,
		       const struct ftsan_static_host *host);
bool ftsan_statics_on(void);
/* Does it hold threads up, to see who comes? */
bool ftsan_statics_race(void);

/* The option `statics`, with "auto" told by the mode. Pure. */
const char *ftsan_statics_choice(const struct ftsan_options *options);

/**
 * struct ftsan_static_area - writable pages of one module
 * @begin, @end: page aligned
 * @package: what the module's own locks are taken by: a part of the path of its package's
 *           Python files ("site-packages/scipy/"), or a directory
 * @asks_for_gil: it does not claim to do without
 */
struct ftsan_static_area {
	uintptr_t begin, end;
	const char *package;
	bool asks_for_gil;
};

/*
 * Seals an area, once; @package is copied. Context: normal context, with the loader's
 * lock: the module stays. Return: 0; -EEXIST; -ENOSPC: the bound on pages.
 */
int ftsan_statics_seal(const struct ftsan_static_area *area);

/* Whose code is it, of the modules whose statics are sealed? NULL: none's. Context: any.
 */
const struct ftsan_module *ftsan_statics_code(uintptr_t address);

/*
 * Around a dlclose: between the two nothing is sealed again by itself, and what is gone
 * then is forgotten. @is_loaded is asked for one address of each area.
 */
void ftsan_statics_unload_begin(void);
void ftsan_statics_unload_end(bool (*is_loaded)(uintptr_t address));

/**
 * struct ftsan_statics_call - a call in which the kernel comes to statics; zeros at first
 * @pages: that it may come to, so that they stay as it needs them till the end, however
 *         long the call waits; of a call that never ends (a longjmp) they stay so. Those
 *         past @n of FTSAN_STATICS_CALL_PAGES are left open for good
 */
enum { FTSAN_STATICS_CALL_PAGES = 32 };
struct static_page;
struct ftsan_statics_call {
	unsigned n;
	struct static_page *pages[FTSAN_STATICS_CALL_PAGES];
};

/*
 * Memory that the kernel is about to write to, or to read: sealed pages are opened,
 * closed ones are waited for, until the call's end. Cheap for other memory. Context:
 * normal context.
 */
extern FTSAN_HIDDEN _Atomic uintptr_t ftsan_statics_lowest, ftsan_statics_highest;
void ftsan_statics_kernel_slow(struct ftsan_statics_call *call, uintptr_t address,
			       size_t size_bytes, bool writes);
void ftsan_statics_kernel_end(struct ftsan_statics_call *call);
/* Bytes that the kernel may come to at any time: their pages stay open. Context: the
 * same. */
void ftsan_statics_leave_open(uintptr_t address, size_t size_bytes);
static inline bool ftsan_statics_near(uintptr_t address)
{
	return address < atomic_load_explicit(&ftsan_statics_highest,
					      memory_order_relaxed) &&
	       address >=
		       atomic_load_explicit(&ftsan_statics_lowest, memory_order_relaxed);
}
static inline void ftsan_statics_kernel(struct ftsan_statics_call *call,
					const void *memory, size_t size_bytes,
					bool writes)
{
	if (FTSAN_UNLIKELY(ftsan_statics_near((uintptr_t)memory)))
		ftsan_statics_kernel_slow(call, (uintptr_t)memory, size_bytes, writes);
}

/*
 * There is a lock, a condition or a semaphore of libc at @address: its page is never made
 * inaccessible, and not sealed at all if the kernel has to write to it (a robust mutex or
 * one with priority inheritance). Context: normal context.
 */
void ftsan_statics_lock_slow(uintptr_t address);
static inline void ftsan_statics_lock_at(uintptr_t address)
{
	if (FTSAN_UNLIKELY(ftsan_statics_near(address)))
		ftsan_statics_lock_slow(address);
}

/* Seals again what was left open long enough, and reports what has waited long enough.
 * Context: any, handlers included. */
void ftsan_statics_poll(void);

/*
 * The handlers' part. Context: signal handler on the thread.
 *
 * ftsan_statics_interrupted() - a fault somewhere: a store of ours that is being stepped
 *          and did not cause it is given up, and will be made again
 * ftsan_statics_let_read() - the unwinder reads a page that a window has closed: static
 *          data has the pointers to personality routines that unwind tables refer to, and
 *          the unwinder holds its lock while it follows them. True: it may read now
 * ftsan_statics_fault(), ftsan_statics_step() - true when it was ours
 * ftsan_statics_watched() - the same of SIGTRAP, by a watchpoint
 */
bool ftsan_statics_let_read(const siginfo_t *info, const void *ucontext);
void ftsan_statics_interrupted(const siginfo_t *info, void *ucontext);
bool ftsan_statics_fault(const siginfo_t *info, void *ucontext);
bool ftsan_statics_step(void *ucontext);
bool ftsan_statics_watched(const siginfo_t *info, const void *ucontext);

/* Opens everything and traps nothing from then on; false takes it back. */
void ftsan_statics_halt(bool halt);
/* Is the thread between a trap and the end of its store? */
struct ftsan_thread;
bool ftsan_statics_busy(const struct ftsan_thread *thread);

/* The process ends: destructors clear what their modules have. From now on nothing is
 * judged. Context: an exit handler. */
void ftsan_statics_ending(void);

/* Writes what still waits; at the end also the inventory, if it is asked for. */
void ftsan_statics_flush(void);
void ftsan_statics_inventory(void);

/* Appends `statics_unread` to a record: words that were held up next to locks of libc,
 * and that no watchpoint was free for, so that loads of them were not seen. If there are
 * any. */
void ftsan_statics_record_unread(struct ftsan_buf *line);
/* A record for each module, with the share of time that it was sealed. */
void ftsan_statics_record_modules(void);

void ftsan_statics_fork_child(void);
void ftsan_statics_thread_end(struct ftsan_thread *thread);

#endif
