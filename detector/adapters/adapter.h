/*
 * Adapters say what is guarded; engines say how. A new library, or a new kind of
 * buffer, is a new adapter and changes no engine.
 */
#ifndef FTSAN_ADAPTER_H
#define FTSAN_ADAPTER_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/rules.h"
#include "pages/slot.h"
#include "findings/view.h"

/**
 * struct ftsan_object - what an adapter knows of a buffer, for a report
 * @description: sentence fragment
 * @name:        the word that an access touches, "" when it has no name
 * @word:        index of that 8-byte word, -1 for none
 * @n_shape:     -1 when unknown
 * @dtype:       "" when unknown
 */
struct ftsan_object {
	char description[160];
	char name[24];
	int word;
	int n_shape;
	int64_t shape[FTSAN_VIEW_DIMS_MAX];
	char dtype[32];
};

/* Nothing is known of it yet. */
static inline void ftsan_object_clear(struct ftsan_object *object)
{
	object->n_shape = -1;
	object->word = -1;
	object->name[0] = object->dtype[0] = object->description[0] = '\0';
}

/**
 * struct ftsan_adapter - one kind of buffer
 * @name:     for logs and fingerprints
 * @extent:   what two accesses must share to be a race
 * @undoes:   operations store a value and put the old one back: no window opens while a
 *            buffer deviates (struct ftsan_window_question)
 * @bound:    does the object of the slot really point at the buffer now? A buffer that
 *            nobody points at is never published. NULL: always.
 * @describe: fills an ftsan_object for an access at @address
 *
 * Context of both: any thread, async-signal-safe; foreign memory only by
 * ftsan_safe_read(). The slot is pinned, or owned by the caller.
 */
struct ftsan_adapter {
	const char *name;
	enum ftsan_extent extent;
	bool undoes;
	bool (*bound)(uint32_t slot);
	void (*describe)(uint32_t slot, uintptr_t address, struct ftsan_object *out);
};

enum ftsan_adapter_id {
	FTSAN_ADAPTER_CANARY,
	FTSAN_ADAPTER_NUMPY,
	FTSAN_ADAPTER_CYTHON,
	FTSAN_ADAPTERS,
};

extern const struct ftsan_adapter ftsan_adapter_canary;
extern const struct ftsan_adapter ftsan_adapter_numpy;
extern const struct ftsan_adapter ftsan_adapter_cython;

const struct ftsan_adapter *ftsan_adapter_of(uint32_t slot);

#endif
