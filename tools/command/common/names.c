#include "common/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "common/xmemory.h"

/* The slot that holds @text, or the free one where it belongs. */
static size_t slot_of(const struct ftsan_names *names, const char *text)
{
	size_t mask = names->n_slots - 1;
	size_t slot = (size_t)ftsan_hash_text(FTSAN_HASH_BEGIN, text) & mask;

	while (names->slots[slot] != 0 &&
	       strcmp(names->texts[names->slots[slot] - 1], text) != 0)
		slot = (slot + 1) & mask;
	return slot;
}

/* At most half full, and a power of two. */
static void make_room(struct ftsan_names *names)
{
	if (names->n * 2 < names->n_slots)
		return;
	free(names->slots);
	names->n_slots = names->n_slots > 0 ? names->n_slots * 2 : 16;
	names->slots = ftsan_xcalloc(names->n_slots, sizeof(*names->slots));
	for (size_t i = 0; i < names->n; i++)
		names->slots[slot_of(names, names->texts[i])] = i + 1;
}

long ftsan_names_find(const struct ftsan_names *names, const char *text)
{
	if (names->n_slots == 0)
		return FTSAN_NO_NAME;
	return (long)names->slots[slot_of(names, text)] - 1;
}

size_t ftsan_names_add(struct ftsan_names *names, const char *text, uint64_t count)
{
	size_t slot, number;

	make_room(names);
	slot = slot_of(names, text);
	if (names->slots[slot] == 0) {
		names->texts = ftsan_xgrow(names->texts, names->n, &names->capacity,
					   sizeof(*names->texts));
		names->counts =
			ftsan_xgrow(names->counts, names->n, &names->counts_capacity,
				    sizeof(*names->counts));
		names->texts[names->n] = ftsan_xstrdup(text);
		names->counts[names->n] = 0;
		names->slots[slot] = ++names->n;
	}
	number = names->slots[slot] - 1;
	if (__builtin_add_overflow(names->counts[number], count, &names->counts[number]))
		names->counts[number] = UINT64_MAX;
	return number;
}

void ftsan_names_release(struct ftsan_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->texts[i]);
	free(names->texts);
	free(names->counts);
	free(names->slots);
	memset(names, 0, sizeof(*names));
}
