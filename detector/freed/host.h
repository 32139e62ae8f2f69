/* What the room is told at start. Data only. */
#ifndef FTSAN_FREED_HOST_H
#define FTSAN_FREED_HOST_H

#include <stdint.h>

#include "stacks/stacks.h"

/**
 * struct ftsan_freed_host - what the room is told at start
 * @abi:       layouts, borrowed
 * @type_type: address of PyType_Type
 * @own_begin, @own_end: addresses of libftsan.so
 * @release:   frees a block for good, as the one who brought it would have. @origin: what
 *             ftsan_freed_take() was told. Normal context, no lock held
 */
struct ftsan_freed_host {
	const struct ftsan_pyabi *abi;
	uintptr_t type_type;
	uintptr_t own_begin, own_end;
	void (*release)(unsigned origin, uintptr_t block);
};

#endif
