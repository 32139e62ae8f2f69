/* Where blocks are freed: each place is kept once. Private to the room. */
#ifndef FTSAN_FREED_SITES_H
#define FTSAN_FREED_SITES_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks/stacks.h"

enum {
	FTSAN_FREED_SITE_NATIVE = 16,
	FTSAN_FREED_SITE_PYTHON = 8,
	FTSAN_FREED_SITE_TYPE = 64
};

/**
 * struct ftsan_freed_site - a place
 * @type: name of the type of the objects freed there, "" without one
 * The rest is a struct ftsan_stack that was cut.
 */
struct ftsan_freed_site {
	char type[FTSAN_FREED_SITE_TYPE];
	uint16_t n_native, n_python;
	bool truncated;
	uintptr_t pc[FTSAN_FREED_SITE_NATIVE];
	struct ftsan_pyframe python[FTSAN_FREED_SITE_PYTHON];
};

/* Context: start-up. Return: 0 or -ENOMEM. */
int ftsan_freed_sites_init(void);

/**
 * ftsan_freed_site_here() - the number of where the calling thread is
 * @type: of the object, 0: there is none
 * @pc:   who frees
 *
 * A place is told by these and by the positions of the innermost three frames of Python;
 * its stack is captured the first time. Context: normal.
 * Return: 0: there is no room, or another thread is adding one.
 */
uint16_t ftsan_freed_site_here(uintptr_t type, uintptr_t pc);

/* NULL: 0, or none. Any context. */
const struct ftsan_freed_site *ftsan_freed_site_at(uint16_t number);

/* The child of a fork. */
void ftsan_freed_sites_fork_child(void);

#endif
