#include "pages/recycle.h"

#include <sys/mman.h>

#include "base/base.h"
#include "pages/guard_config.h"
#include "pages/seal.h"
#include "pages/slot.h"

enum { GAP_SLOTS = 8 }; /* others between two buffers of a stretch */

bool ftsan_recycle_begin(uint32_t slot)
{
	if (ftsan_guard_config.heal && ftsan_adapter_of(slot)->kept)
		return false;
	if (!ftsan_slot_transition(slot, FTSAN_QUARANTINED, FTSAN_RECYCLING))
		return false;
	if (!ftsan_slot_pinned(slot))
		return true;
	(void)ftsan_slot_transition(slot, FTSAN_RECYCLING, FTSAN_QUARANTINED);
	return false;
}

static void sort(struct ftsan_recycling *batch, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		struct ftsan_recycling moved = batch[i];
		uint32_t to = i;

		for (; to > 0 && batch[to - 1].slot > moved.slot; to--)
			batch[to] = batch[to - 1];
		batch[to] = moved;
	}
}

/* is_open() - is the page read/write, and stays so while nothing is sealed? */
static bool is_open(uint32_t slot)
{
	enum ftsan_state state = ftsan_word_state(ftsan_slot_word(slot));

	return state == FTSAN_FREE || state == FTSAN_PRIVATE;
}

/* joins() - may one call open @from, @to and what is between them? */
static bool joins(uint32_t from, uint32_t to)
{
	if (ftsan_slot_at(from)->pages != 1 || ftsan_slot_at(to)->pages != 1 ||
	    to - from > GAP_SLOTS + 1)
		return false;
	for (uint32_t slot = from + 1; slot < to; slot++)
		if (!is_open(slot))
			return false;
	return true;
}

/* stretch() - how many of them, from the first on, one call may open. */
static uint32_t stretch(const struct ftsan_recycling *batch, uint32_t n)
{
	uint32_t length = 1;

	while (length < n && joins(batch[length - 1].slot, batch[length].slot))
		length++;
	return length;
}

static bool open_pages(const struct ftsan_recycling *batch, uint32_t n)
{
	uint32_t first = batch[0].slot, last = batch[n - 1].slot;

	return ftsan_slot_protect(first, last - first + 1, PROT_READ | PROT_WRITE) == 0;
}

static void conclude(struct ftsan_recycling *one, bool ok)
{
	one->done = ok;
	if (!ok) {
		ftsan_count(left_out_kernel);
		(void)ftsan_slot_transition(one->slot, FTSAN_RECYCLING,
					    FTSAN_QUARANTINED);
		return;
	}
	ftsan_publish_undone(ftsan_slot_at(one->slot));
	(void)ftsan_slot_transition(one->slot, FTSAN_RECYCLING, FTSAN_FREE);
	ftsan_slot_give(NULL, one->slot);
}

void ftsan_recycle_end(struct ftsan_recycling *batch, uint32_t n)
{
	/* Nothing between two buffers is sealed meanwhile: it would be opened again. */
	bool several = n > 1 && ftsan_publish_hold_off();

	sort(batch, n);
	for (uint32_t i = 0; i < n;) {
		uint32_t length = several ? stretch(batch + i, n - i) : 1;
		bool ok = open_pages(batch + i, length);

		for (uint32_t end = i + length; i < end; i++)
			conclude(&batch[i], ok);
	}
	if (several)
		ftsan_publish_go_on();
}

bool ftsan_recycle(uint32_t slot)
{
	struct ftsan_recycling one = {.slot = slot};

	if (!ftsan_recycle_begin(slot))
		return false;
	ftsan_recycle_end(&one, 1);
	return one.done;
}
