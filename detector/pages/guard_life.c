/* All guarded buffers at once: detach, fork, the end. */
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "pages/guard.h"
#include "pages/guard_count.h"
#include "pages/publish.h"
#include "pages/quarantine.h"
#include "pages/slot.h"
#include "pages/store.h"
#include "pages/window.h"

/* --- halting ------------------------------------------------------------------ */

static bool is_closed(enum ftsan_state state)
{
	return state == FTSAN_SEALING || state == FTSAN_SEALING_DEAD ||
	       state == FTSAN_PUBLISHED || state == FTSAN_WINDOWED ||
	       state == FTSAN_RECYCLING;
}

bool ftsan_guard_open(void)
{
	bool open;

	if (!ftsan_guard_ready())
		return true;
	open = ftsan_quarantine_empty();
	for (uint32_t i = 0; i < ftsan_arena.n_slots; i = ftsan_slot_next(i)) {
		if (ftsan_word_state(ftsan_slot_word(i)) == FTSAN_PUBLISHED)
			ftsan_publish_open(i);
		/* One that must not be used again, or never got an entry. */
		if (ftsan_word_state(ftsan_slot_word(i)) == FTSAN_QUARANTINED)
			(void)ftsan_slot_protect(i, 1, PROT_READ | PROT_WRITE);
		open &= !is_closed(ftsan_word_state(ftsan_slot_word(i)));
	}
	return open;
}

static bool is_live(uint32_t slot)
{
	enum ftsan_state state = ftsan_word_state(ftsan_slot_word(slot));

	return ftsan_slot_at(slot)->adapter != FTSAN_ADAPTER_CANARY &&
	       (state == FTSAN_PRIVATE || state == FTSAN_SEALING ||
		state == FTSAN_PUBLISHED || state == FTSAN_WINDOWED);
}

uint32_t ftsan_guard_live(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; ftsan_guard_ready() && i < ftsan_arena.n_slots;
	     i = ftsan_slot_next(i))
		n += is_live(i);
	return n;
}

uint64_t ftsan_guard_bound_bytes(void)
{
	return ftsan_guard_ready()
		       ? ftsan_arena_bound_bytes() + ftsan_quarantine_bound_bytes()
		       : 0;
}

/* Of whole pages; 0 where the kernel does not say. */
static uint64_t resident_bytes(uintptr_t begin, size_t size_bytes)
{
	enum { AT_ONCE = 1024 };
	unsigned char pages[AT_ONCE];
	uint64_t n = 0;

	for (size_t at = 0; at < size_bytes; at += (size_t)AT_ONCE * FTSAN_PAGE) {
		size_t rest = size_bytes - at, most = (size_t)AT_ONCE * FTSAN_PAGE;
		size_t length = rest < most ? rest : most;

		if (ftsan_sys_call6(SYS_mincore, (long)(begin + at), (long)length,
				    (long)pages, 0, 0, 0) != 0)
			return 0;
		for (size_t i = 0; i < (length + FTSAN_PAGE - 1) / FTSAN_PAGE; i++)
			n += pages[i] & 1;
	}
	return n * FTSAN_PAGE;
}

uint64_t ftsan_guard_resident_bytes(void)
{
	if (!ftsan_guard_ready())
		return 0;
	return resident_bytes(ftsan_arena.base, ftsan_arena.size_bytes) +
	       resident_bytes((uintptr_t)ftsan_arena.slots & ~(FTSAN_PAGE - 1),
			      ftsan_arena.n_slots * sizeof(*ftsan_arena.slots));
}

const char *ftsan_guard_store_name(void)
{
	return ftsan_store_name();
}

/* --- fork --------------------------------------------------------------------- */

void ftsan_guard_fork_parent(void)
{
}

/* settle() - what a lost thread had under way in the child becomes a plain state; what is
 * sealed is counted afterwards (ftsan_publish_fork_child()). */
static void settle(uint32_t index)
{
	struct ftsan_slot *slot = ftsan_slot_at(index);
	uint64_t word = ftsan_slot_word(index);
	enum ftsan_state state = ftsan_word_state(word);

	atomic_store_explicit(&slot->pins, 0, memory_order_relaxed);
	/* The other threads' pins are gone, and so are their operations: nobody would
	 * ever unseal what they held. The one that forked goes on unwatched. */
	atomic_store_explicit(&slot->holds, 0, memory_order_relaxed);
	if (atomic_exchange_explicit(&slot->on_hold, false, memory_order_relaxed) &&
	    (state == FTSAN_PUBLISHED || state == FTSAN_WINDOWED)) {
		(void)ftsan_slot_protect(index, 1, PROT_READ | PROT_WRITE);
		state = FTSAN_PRIVATE;
	}
	switch (state) {
	case FTSAN_SEALING:
		(void)ftsan_slot_protect(index, 1, PROT_READ | PROT_WRITE);
		state = FTSAN_PRIVATE;
		break;
	case FTSAN_WINDOWED:
		(void)ftsan_slot_protect(index, 1, PROT_READ);
		state = FTSAN_PUBLISHED;
		break;
	case FTSAN_SEALING_DEAD:
	case FTSAN_RECYCLING:
		(void)ftsan_slot_protect(index, 1, PROT_READ | PROT_WRITE);
		state = FTSAN_FREE;
		break;
	default:
		break;
	}
	atomic_store_explicit(&ftsan_arena.words[index],
			      ftsan_word_with_state(word, state), memory_order_relaxed);
	if (state == FTSAN_PRIVATE)
		ftsan_publish_later(index);
}

void ftsan_guard_fork_child(void)
{
	if (!ftsan_guard_ready())
		return;
	for (uint32_t i = 0; i < ftsan_arena.n_slots; i = ftsan_slot_next(i))
		settle(i);
	ftsan_slots_rebuild();
	ftsan_publish_fork_child();
	ftsan_quarantine_fork_child();
	ftsan_window_fork_child();
}

void ftsan_guard_count_live(void)
{
	for (uint32_t i = 0; i < ftsan_arena.n_slots; i = ftsan_slot_next(i))
		if (is_live(i))
			ftsan_guard_count_end(ftsan_slot_at(i));
}
