/*
 * The sampler: races on any memory of chosen modules, wherever it lies.
 *
 * Memory instructions of the modules are armed with int3, each for one hit. A thread that
 * hits one is held for a moment *before* its access, while one watchpoint looks at the
 * address in all other threads. One that accesses it meanwhile is caught in the act:
 * nothing can have ordered the two. Whether that is a race or a C11 atomic is a question
 * of rules/sampled.h; which accesses are worth a delay one of rules/delay.h. (The idea is
 * DataCollider's: J. Erickson and others, OSDI 2010.)
 *
 *   onset.c                       when sampling begins
 *   modules.c, choose.c, sweep.c  which modules, and their instructions
 *   arm.c, patch.c                int3 in and out
 *   hit.c                         who has come to an armed site, and is it worth a delay
 *   words.c                       what is known of a word
 *   hold.c, other.c               a held thread, and who comes
 *   follow.c                      a loop that is going to
 *   finding.c                     what that means
 *
 * Costs: an armed site nothing; its hit 4 us; a delay the time that one thread sleeps,
 * and 10 to 70 us for aiming and resting the watchpoint with up to 4 threads.
 */
#ifndef FTSAN_SAMPLER_H
#define FTSAN_SAMPLER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "stacks/stacks.h"

struct ftsan_thread;

enum { FTSAN_SAMPLER_CALLED = 3 };

/**
 * struct ftsan_sampler_host - what the sampler has to know of the process
 * @iterate: dl_iterate_phdr
 * @interpreter: an address in the object that holds CPython
 * @code_type: PyCode_Type, 0: not known
 * @called:  its functions that handlers of ours call, and hooks while they hold what a
 *           handler takes; 0: none. They are not sampled
 * @attached: the process ran already; everything is armed when it is no longer halted
 * @cache:   folder for sweeps that are kept; NULL or "": none; borrowed, must stay
 */
struct ftsan_sampler_host {
	int (*iterate)(ftsan_phdr_callback, void *);
	uintptr_t interpreter, code_type;
	uintptr_t called[FTSAN_SAMPLER_CALLED];
	const char *cache;
	bool attached;
};

/**
 * ftsan_sampler_init() - get ready; nothing is armed yet
 * @options: borrowed, must stay
 *
 * Context: start-up, after the decoder and the memory room. Return: 0; -ENOTSUP when it
 * can't work here; ftsan_sampler_name() says why.
 */
int ftsan_sampler_init(const struct ftsan_options *options,
		       const struct ftsan_sampler_host *host);
bool ftsan_sampler_active(void);

struct ftsan_object;
/**
 * ftsan_sampler_names() - who names fields of objects, as other engines do
 * @name_field: by the name of the type, the object and the offset in it; false: it has no
 *              name for that one. Called in handlers. NULL: nobody
 *
 * Context: start-up.
 */
void ftsan_sampler_names(bool (*name_field)(const char *type, uintptr_t object,
					    uint64_t offset, struct ftsan_object *out));

/* How it works here, or why not: for the log. */
const char *ftsan_sampler_name(void);

/**
 * ftsan_sampler_thread_coming() - a thread is about to be started
 * @routine: its first function
 *
 * With the second one of the program's everything is armed, before it runs. Threads of
 * BLAS and OpenMP runtimes don't count.
 *
 * Context: normal context of the thread that starts it. Return: whether it counts.
 */
bool ftsan_sampler_thread_coming(uintptr_t routine);

/* What was announced did not come. */
void ftsan_sampler_thread_failed(bool counted);

/*
 * The calling thread begins, and ends. @counted: what ftsan_sampler_thread_coming() said.
 * Its stack is where nothing is sampled; 0: not known.
 */
void ftsan_sampler_thread_begin(struct ftsan_thread *thread, bool counted,
				uintptr_t stack_begin, uintptr_t stack_end);
void ftsan_sampler_thread_end(struct ftsan_thread *thread);

/* Modules were loaded or are gone. Context: normal context. */
void ftsan_sampler_modules_changed(void);

/*
 * Around a dlclose: between the two no instruction is armed, and what is gone then is
 * forgotten. @is_loaded is asked for an address of each module.
 */
void ftsan_sampler_unload_begin(void);
void ftsan_sampler_unload_end(bool (*is_loaded)(uintptr_t address));

/* SIGTRAP: was it the sampler's? Context: the handler. */
bool ftsan_sampler_trap(const siginfo_t *info, void *ucontext);

/* Is the thread, the calling one, stepped over an instruction just now? Context: a
 * handler of the thread's. */
bool ftsan_sampler_busy(const struct ftsan_thread *thread);

/* A period of the scout. */
void ftsan_sampler_tick(void);

/*
 * Every byte of text is its own again, and stays so; false: they may be armed anew. A
 * thread may still be on its way to the handler. Context: normal context.
 */
void ftsan_sampler_halt(bool halt);

/**
 * struct ftsan_sampler_module - what was seen of a module since its instructions are
 * sampled
 * @functions: those that use memory
 * @seen:      of these, threads came to
 * @shared:    of these, where they used a word that another thread uses
 */
struct ftsan_sampler_module {
	const char *path;
	uint32_t functions, seen, shared;
};
typedef void (*ftsan_sampler_visit)(void *to, const struct ftsan_sampler_module *module);

/* The module that was loaded last is the first. Context: normal context, or the scout's.
 */
void ftsan_sampler_each_module(ftsan_sampler_visit visit, void *to);

void ftsan_sampler_fork_prepare(void);
void ftsan_sampler_fork_parent(void);
void ftsan_sampler_fork_child(void);

#endif
