/*
 * Who made a code object by PyCode_NewEmpty(), and who destroyed it: for reports about
 * an object that is not what it should be. Fixed size; older entries give way.
 */
#ifndef FTSAN_PRELOAD_CODE_HISTORY_H
#define FTSAN_PRELOAD_CODE_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "pages/pages.h"
#include "stacks/stacks.h"

/**
 * struct ftsan_code_past - what is known
 * @created, @created_tid: where it was made
 * @destroyed: borrowed, may be overwritten by later events; NULL: as far as known, alive
 */
struct ftsan_code_past {
	struct ftsan_alloc_site created;
	int created_tid;
	const struct ftsan_stack *destroyed;
	int destroyed_tid;
};

/* Context: normal context of an attached thread. The first call asks CPython to tell of
 * destructions (PyCode_AddWatcher, 3.12 and later). */
void ftsan_code_history_created(uintptr_t code, const struct ftsan_alloc_site *site);

/*
 * Was a whole code object found at this address, and not destroyed or made since?
 * Always false where destructions are not told (before 3.12). Any context.
 */
bool ftsan_code_history_is_whole(uintptr_t code);
void ftsan_code_history_set_whole(uintptr_t code);

/* Context: normal context. False: never heard of, or forgotten. */
bool ftsan_code_history_find(uintptr_t code, struct ftsan_code_past *past);

/* CPython tells us no more. Context: a detach, attached thread. */
void ftsan_code_history_stop(void);

#endif
