/*
 * The room of freed memory that keeps its story: blocks that the program has freed are
 * held back for a while, and filled so that whoever uses them runs into an address that
 * says which block it was. Who freed it, when and from where is known then.
 *
 * Blocks are those of CPython's own allocator in free-threaded builds (memory/memory.h).
 * Bounded: by bytes (option freed_mb), and 16,384 blocks a shard; a thread has a shard of
 * its own as long as there are no more than 64. What is held is freed in the order in
 * which it came, by whoever brings the next one.
 *
 * May use: base, rules, stacks, memory, threads, view, findings.
 * Held: a shard's lock for some loads and stores, which nobody waits for: a block that
 * finds it taken is freed as ever. None is taken in a handler.
 */
#ifndef FTSAN_FREED_H
#define FTSAN_FREED_H

#include <stdbool.h>
#include <stdint.h>

#include "freed/fill.h"
#include "freed/host.h"
#include "freed/story.h"
#include "freed/types.h"
#include "rules/rules.h"

struct ftsan_options;

/**
 * ftsan_freed_init() - start-up, and again after ftsan_freed_stop()
 * @host: copied
 *
 * Return: 0; -errno when nothing is held, for the reason that ftsan_freed_name() has.
 */
int ftsan_freed_init(const struct ftsan_options *options,
		     const struct ftsan_freed_host *host);

/* Everything that is held is freed, and nothing is held from now on. Normal context. */
void ftsan_freed_stop(void);

/* In words, for the log: what is held, or why nothing is. */
const char *ftsan_freed_name(void);

/* Brings the counters up to date. Any context. */
void ftsan_freed_count(void);

/* The child of a fork, alone. */
void ftsan_freed_fork_child(void);

/* --- freeing --------------------------------------------------------------------------
 */

/**
 * struct ftsan_freed_from - who frees a block
 * @origin:   for @release, below 256
 * @own_call: an extension module's own call frees it as a buffer
 * @detached: the thread has no state of the interpreter now (PyMem_RawFree() only)
 * @live:     it is the first byte of a block of the interpreter's allocator for certain
 * @pc:       of the call
 */
struct ftsan_freed_from {
	unsigned origin;
	bool own_call;
	bool detached;
	bool live;
	uintptr_t pc;
};

/**
 * ftsan_freed_take() - a block is about to be freed
 * @block: what free was called with
 *
 * Context: normal context of the thread that frees it, attached or not; errno is kept.
 * Return:  true: it is held, or must not be freed (then that is reported); false: to be
 *          freed as ever.
 */
bool ftsan_freed_take(uintptr_t block, const struct ftsan_freed_from *from);

/* Bytes of a block that the program may use, 0: not known. Any context. */
uint32_t ftsan_freed_usable(uintptr_t block);

/**
 * ftsan_freed_given_back() - a reference to @object is given back
 *
 * Reports it if the object's memory is held. Context: normal.
 * Return: true then: the object must not be touched.
 */
bool ftsan_freed_given_back(uintptr_t object);

#endif
