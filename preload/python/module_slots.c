#include "python/module_slots.h"

#include <stddef.h>
#include <stdlib.h>

/* Deeper ones the interpreter refuses: _PySlot_MAX_NESTING, pycore_slots.h of 3.15. */
enum { DEPTH_MAX = 5 };

enum ftsan_modslot_kind ftsan_modslot_kind(const struct ftsan_modslot *slot)
{
	switch (slot->number) {
	case 0:
		return FTSAN_MODSLOT_END;
	case 1:
	case 84:
		return FTSAN_MODSLOT_CREATE;
	case 2:
	case 85:
		return FTSAN_MODSLOT_EXEC;
	case 4:
	case 87:
		return FTSAN_MODSLOT_GIL;
	case 92: /* Py_slot_subslots */
	case 94: /* Py_mod_slots */
		return FTSAN_MODSLOT_NESTED;
	case 100:
		return FTSAN_MODSLOT_NAME;
	case 103:
		return FTSAN_MODSLOT_METHODS;
	case 110:
		return FTSAN_MODSLOT_TOKEN;
	default:
		return FTSAN_MODSLOT_OTHER;
	}
}

/* nested() - the next slot of an outer array in which to look further */
static const struct ftsan_modslot *nested(const struct ftsan_modslot *slot,
					  unsigned depth)
{
	return depth < DEPTH_MAX && ftsan_modslot_kind(slot) == FTSAN_MODSLOT_NESTED
		       ? slot->value
		       : NULL;
}

static bool find(const struct ftsan_modslot *slot, enum ftsan_modslot_kind kind,
		 void **value, unsigned depth)
{
	for (; slot != NULL && ftsan_modslot_kind(slot) != FTSAN_MODSLOT_END; slot++) {
		if (ftsan_modslot_kind(slot) == kind) {
			*value = slot->value;
			return true;
		}
		if (find(nested(slot, depth), kind, value, depth + 1))
			return true;
	}
	return false;
}

bool ftsan_modslots_find(const struct ftsan_modslot *slots, enum ftsan_modslot_kind kind,
			 void **value)
{
	return find(slots, kind, value, 0);
}

static unsigned count(const struct ftsan_modslot *slot, enum ftsan_modslot_kind kind,
		      unsigned depth)
{
	unsigned n = 0;

	for (; slot != NULL && ftsan_modslot_kind(slot) != FTSAN_MODSLOT_END; slot++) {
		n += ftsan_modslot_kind(slot) == kind;
		n += count(nested(slot, depth), kind, depth + 1);
	}
	return n;
}

unsigned ftsan_modslots_count(const struct ftsan_modslot *slots,
			      enum ftsan_modslot_kind kind)
{
	return count(slots, kind, 0);
}

struct copy {
	void (*replace)(struct ftsan_modslot *slot, enum ftsan_modslot_kind kind,
			void *argument);
	void *argument;
};

static struct ftsan_modslot *copy(const struct ftsan_modslot *slots,
				  const struct ftsan_modslot *first,
				  const struct copy *how, unsigned depth)
{
	struct ftsan_modslot *whole, *to;
	size_t n = 0;

	while (ftsan_modslot_kind(&slots[n]) != FTSAN_MODSLOT_END)
		n++;
	whole = calloc(n + 2, sizeof(*whole));
	if (whole == NULL)
		return NULL;
	to = whole;
	if (first != NULL)
		*to++ = *first;
	for (size_t i = 0; i < n; i++) {
		enum ftsan_modslot_kind kind = ftsan_modslot_kind(&slots[i]);

		to[i] = slots[i];
		if (kind == FTSAN_MODSLOT_CREATE || kind == FTSAN_MODSLOT_EXEC)
			how->replace(&to[i], kind, how->argument);
		if (nested(&slots[i], depth) == NULL)
			continue;
		to[i].value = copy(slots[i].value, NULL, how, depth + 1);
		if (to[i].value == NULL)
			return NULL;
	}
	return whole;
}

struct ftsan_modslot *
ftsan_modslots_copy(const struct ftsan_modslot *slots, const struct ftsan_modslot *first,
		    void (*replace)(struct ftsan_modslot *slot,
				    enum ftsan_modslot_kind kind, void *argument),
		    void *argument)
{
	const struct copy how = {.replace = replace, .argument = argument};

	return copy(slots, first, &how, 0);
}
