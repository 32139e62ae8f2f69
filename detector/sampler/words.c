#include "sampler/words.h"

#include <stdatomic.h>
#include <string.h>

#include "base/base.h"

enum {
	TOUCHED = 1 << 16,
	PLAIN = 1 << 15,
	SETTLED = 1 << 12,
	FRUITLESS = 1 << 15,
	VARIED = 1 << 12,
	PROBES = 8,
};

/* An entry of `touched`: word << 16 | thread << 2 | flags. */
enum { WRITTEN = 1, SHARED = 2, THREAD_SHIFT = 2, THREAD_MASK = 0x3fff, WORD_SHIFT = 16 };

struct tables {
	_Atomic uint64_t touched[TOUCHED];
	_Atomic uint64_t plain[PLAIN];
	_Atomic uint64_t read[PLAIN];
	_Atomic uint64_t settled[SETTLED];
	_Atomic uint16_t fruitless[FRUITLESS];
	_Atomic uint64_t varied[VARIED]; /* key, and how often in the lowest byte */
};

static struct tables *tables;

bool ftsan_words_reset(void)
{
	if (tables == NULL)
		tables = ftsan_sys_map(sizeof(*tables));
	else
		memset((void *)tables, 0, sizeof(*tables));
	return tables != NULL;
}

static uint32_t slot_of(uint64_t key, uint32_t size)
{
	return (uint32_t)(key * 0x9e3779b97f4a7c15ull >> 40) % size;
}

enum ftsan_word_use ftsan_words_touch(uintptr_t address, uint32_t thread, bool writes)
{
	uint64_t word = address >> 3, flags = writes ? WRITTEN : 0, was;
	_Atomic uint64_t *entry = &tables->touched[slot_of(word, TOUCHED)];
	uint64_t who = (thread + 1) & THREAD_MASK;

	was = atomic_load_explicit(entry, memory_order_relaxed);
	if (was >> WORD_SHIFT == word) {
		flags |= was & (WRITTEN | SHARED);
		if ((was >> THREAD_SHIFT & THREAD_MASK) != who)
			flags |= SHARED;
	}
	atomic_store_explicit(entry, word << WORD_SHIFT | who << THREAD_SHIFT | flags,
			      memory_order_relaxed);
	if ((flags & SHARED) == 0)
		return FTSAN_USE_PRIVATE;
	return (flags & WRITTEN) != 0 ? FTSAN_USE_SHARED_WRITTEN : FTSAN_USE_SHARED;
}

enum ftsan_word_use ftsan_words_touch_around(uintptr_t begin, uint32_t thread,
					     bool writes)
{
	/* No address of a program's. */
	return ftsan_words_touch(begin ^ UINT64_C(1) << 50, thread, writes);
}

/* @memory: of an object. A word of four bytes: neighbouring flags are not one. */
static uint64_t field_key(const struct ftsan_memory *memory)
{
	return (uint64_t)memory->type << 16 ^ (ftsan_memory_offset(memory) >> 2) ^
	       UINT64_C(1) << 63;
}

uint64_t ftsan_words_key(const struct ftsan_memory *memory)
{
	if (memory->kind == FTSAN_MEMORY_OBJECT && ftsan_memory_is_field(memory))
		return field_key(memory);
	return memory->address >> 2 | UINT64_C(1) << 62;
}

static bool has_type(const struct ftsan_memory *memory)
{
	return memory->kind == FTSAN_MEMORY_OBJECT && memory->type != 0;
}

uint64_t ftsan_words_interpreter_key(const struct ftsan_memory *memory)
{
	return has_type(memory) ? field_key(memory) : ftsan_words_key(memory);
}

uint64_t ftsan_words_around_key(const struct ftsan_memory *memory)
{
	if (memory->kind == FTSAN_MEMORY_OBJECT && ftsan_memory_is_field(memory))
		return (uint64_t)memory->type << 16 ^ UINT64_C(1) << 63 ^ 0xffff;
	if (memory->kind == FTSAN_MEMORY_OBJECT || memory->kind == FTSAN_MEMORY_BLOCK)
		return memory->begin >> 2 | UINT64_C(3) << 61;
	return 0;
}

void ftsan_words_note_plain(uint64_t key)
{
	atomic_store_explicit(&tables->plain[slot_of(key, PLAIN)], key,
			      memory_order_relaxed);
}

bool ftsan_words_was_plain(uint64_t key)
{
	return atomic_load_explicit(&tables->plain[slot_of(key, PLAIN)],
				    memory_order_relaxed) == key;
}

/* Not what an extension's code does to the field. */
static uint64_t updated_key(const struct ftsan_memory *memory)
{
	return field_key(memory) ^ UINT64_C(1) << 62;
}

void ftsan_words_note_updated(const struct ftsan_memory *memory)
{
	if (has_type(memory))
		ftsan_words_note_plain(updated_key(memory));
}

bool ftsan_words_was_updated(const struct ftsan_memory *memory)
{
	return has_type(memory) && ftsan_words_was_plain(updated_key(memory));
}

void ftsan_words_note_read(uint64_t key)
{
	atomic_store_explicit(&tables->read[slot_of(key, PLAIN)], key,
			      memory_order_relaxed);
}

bool ftsan_words_was_read(uint64_t key)
{
	return atomic_load_explicit(&tables->read[slot_of(key, PLAIN)],
				    memory_order_relaxed) == key;
}

uint32_t ftsan_words_fruitless(uint64_t key)
{
	return atomic_load_explicit(&tables->fruitless[slot_of(key, FRUITLESS)],
				    memory_order_relaxed);
}

void ftsan_words_note_fruitless(uint64_t key)
{
	_Atomic uint16_t *count = &tables->fruitless[slot_of(key, FRUITLESS)];

	if (atomic_load_explicit(count, memory_order_relaxed) < UINT16_MAX)
		atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

void ftsan_words_forget_fruitless(uint64_t key)
{
	atomic_store_explicit(&tables->fruitless[slot_of(key, FRUITLESS)], 0,
			      memory_order_relaxed);
}

bool ftsan_words_may_differ(uint64_t key)
{
	enum { OFTEN = 32 };
	uint64_t same = key ^ UINT64_C(1) << 60;

	ftsan_words_note_fruitless(same);
	return ftsan_words_fruitless(same) <= OFTEN;
}

static uint64_t varied_key(uintptr_t pc, uintptr_t begin)
{
	return (pc * 0x9e3779b97f4a7c15ull ^ begin) * 0x9e3779b97f4a7c15ull &
	       ~(uint64_t)UINT8_MAX;
}

void ftsan_words_note_varies(uintptr_t pc, uintptr_t begin)
{
	uint64_t key = varied_key(pc, begin);
	_Atomic uint64_t *entry = &tables->varied[slot_of(key, VARIED)];
	uint64_t was = atomic_load_explicit(entry, memory_order_relaxed);

	if ((was & ~(uint64_t)UINT8_MAX) != key)
		was = key;
	if ((was & UINT8_MAX) < UINT8_MAX)
		was++;
	atomic_store_explicit(entry, was, memory_order_relaxed);
}

bool ftsan_words_varies(uintptr_t pc, uintptr_t begin)
{
	enum { OFTEN = 3 };
	uint64_t key = varied_key(pc, begin);
	uint64_t entry = atomic_load_explicit(&tables->varied[slot_of(key, VARIED)],
					      memory_order_relaxed);

	return (entry & ~(uint64_t)UINT8_MAX) == key && (entry & UINT8_MAX) >= OFTEN;
}

void ftsan_words_settle(uint64_t key)
{
	uint32_t at = slot_of(key, SETTLED);

	for (unsigned i = 0; i < PROBES; i++, at = (at + 1) % SETTLED) {
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&tables->settled[at], &none, key) ||
		    none == key)
			return;
	}
	atomic_store_explicit(&tables->settled[at], key, memory_order_relaxed);
}

bool ftsan_words_settled(uint64_t key)
{
	uint32_t at = slot_of(key, SETTLED);

	for (unsigned i = 0; i <= PROBES; i++, at = (at + 1) % SETTLED)
		if (atomic_load_explicit(&tables->settled[at], memory_order_relaxed) ==
		    key)
			return true;
	return false;
}
