/*
 * When which modules are sampled: everything with the second thread of Python's, modules
 * that come later when they come. Private to the room.
 */
#ifndef FTSAN_SAMPLER_ONSET_H
#define FTSAN_SAMPLER_ONSET_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks/stacks.h"

/**
 * struct ftsan_onset - what it has to know
 * @choice:   option `modules`; borrowed, must stay
 * @iterate:  dl_iterate_phdr
 * @interpreter: an address in the object that holds CPython
 * @attached: the process ran already: everything is armed when it is no longer halted
 */
struct ftsan_onset {
	const char *choice;
	int (*iterate)(ftsan_phdr_callback, void *);
	uintptr_t interpreter;
	bool attached;
};

/* Context: start-up. */
void ftsan_onset_init(const struct ftsan_onset *given);

/*
 * A thread is about to be started whose first function @module holds; NULL: not known.
 * Context: normal context of the thread that starts it.
 */
void ftsan_onset_thread(const struct ftsan_module *module);

/* Modules were loaded or are gone. Context: normal context. */
void ftsan_onset_modules_changed(void);

/* Around a dlclose: see ftsan_sampler_unload_begin(). */
void ftsan_onset_unload_begin(void);
void ftsan_onset_unload_end(bool (*is_loaded)(uintptr_t address));

/* A period of the scout. Return: something is sampled already. */
bool ftsan_onset_tick(uint64_t now_ns);

/* All text is its own again and stays so; false: if the room is @active it is armed
 * anew. Context: normal context. */
void ftsan_onset_halt(bool halt, bool active);

void ftsan_onset_fork_child(void);

#endif
