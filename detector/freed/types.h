/*
 * Whose a type is. Inline where every free of an object asks.
 */
#ifndef FTSAN_FREED_TYPES_H
#define FTSAN_FREED_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "freed/fill.h"
#include "freed/host.h"
#include "rules/rules.h"
#include "stacks/stacks.h"

enum { FTSAN_FREED_TYPES = 2048 };

enum ftsan_type_known {
	FTSAN_TYPE_UNKNOWN,
	FTSAN_TYPE_PLAIN,
	FTSAN_TYPE_OWN,
	/* OWN, and so many were held that a sample does. From here on the difference is
	 * an interval, see ftsan_freed_turn(). */
	FTSAN_TYPE_SAMPLED,
	FTSAN_TYPE_LAST = FTSAN_TYPE_SAMPLED + FTSAN_FREED_INTERVALS - 1,
};
_Static_assert(FTSAN_TYPE_LAST < 8, "the low bits of an address");

/**
 * struct ftsan_freed_types - what frees ask for; for the inline below
 * @mode:    enum ftsan_freed_mode: set at start
 * @begin, @bytes: the interpreter, whose static types are no extension's
 * @ob_type: offset in an object
 * @known:   addresses of types by hash, with an enum ftsan_type_known in the low bits;
 *           of places that free buffers, too. A type has one of two entries that are
 *           neighbours, so that two types of one hash do not push each other out
 */
struct ftsan_freed_types {
	_Alignas(64) uintptr_t begin;
	uintptr_t bytes;
	uint32_t ob_type;
	_Atomic int mode;
	_Alignas(64) _Atomic uintptr_t known[FTSAN_FREED_TYPES];
};
extern FTSAN_HIDDEN struct ftsan_freed_types ftsan_freed_types;

/* What is held back; OFF where nothing is. Any context. */
static inline enum ftsan_freed_mode ftsan_freed_mode_now(void)
{
	return (enum ftsan_freed_mode)atomic_load_explicit(&ftsan_freed_types.mode,
							   memory_order_relaxed);
}

/* The number of the first of a type's two entries. */
static inline unsigned ftsan_type_entries_of(uintptr_t type)
{
	return (type * UINT64_C(0x9e3779b97f4a7c15) >> 48) % FTSAN_FREED_TYPES & ~1u;
}

static inline enum ftsan_type_known ftsan_type_entry_says(unsigned entry, uintptr_t type)
{
	uintptr_t value = atomic_load_explicit(&ftsan_freed_types.known[entry],
					       memory_order_relaxed);

	return (value & ~(uintptr_t)7) == type ? (enum ftsan_type_known)(value & 7)
					       : FTSAN_TYPE_UNKNOWN;
}

/* What is known of the address of a type, or of any other number. Any context. */
static inline enum ftsan_type_known ftsan_type_known(uintptr_t type)
{
	enum ftsan_type_known known;
	unsigned entry;

	if (type - ftsan_freed_types.begin < ftsan_freed_types.bytes)
		return FTSAN_TYPE_PLAIN;
	entry = ftsan_type_entries_of(type);
	known = ftsan_type_entry_says(entry, type);
	return known != FTSAN_TYPE_UNKNOWN ? known
					   : ftsan_type_entry_says(entry + 1, type);
}

/* Counts the calling thread's frees of what is sampled. */
extern FTSAN_TLS uint32_t ftsan_freed_turns;

/* Of a type, or a call, that is sampled: is this one left alone? */
static inline bool ftsan_type_passes(enum ftsan_type_known known)
{
	return known >= FTSAN_TYPE_SAMPLED &&
	       !ftsan_freed_turn(++ftsan_freed_turns,
				 (unsigned)(known - FTSAN_TYPE_SAMPLED));
}

/* Would a look at what may be the block's type go past the end of a slice of mimalloc's,
 * behind which there may be no memory? */
static inline bool ftsan_freed_at_edge(uintptr_t block)
{
	return FTSAN_UNLIKELY((block & 0xffff) > 0xffc0);
}

/**
 * ftsan_freed_is_plain() - does mode `own` or `auto` leave this block alone for certain?
 * @block: a block of the object allocator, live; in a few loads
 */
static inline bool ftsan_freed_is_plain(uintptr_t block)
{
	enum ftsan_type_known known;
	uint32_t at = ftsan_freed_types.ob_type;

	if (ftsan_freed_looks_held(block) || ftsan_freed_at_edge(block))
		return false;
	known = ftsan_type_known(ftsan_member(block, at));
	/* Two words may precede the object. */
	if (known == FTSAN_TYPE_UNKNOWN)
		known = ftsan_type_known(ftsan_member(block + 16, at));
	return FTSAN_LIKELY(known == FTSAN_TYPE_PLAIN) || ftsan_type_passes(known);
}

/* The same of a buffer that an extension's call at @pc frees. */
static inline bool ftsan_freed_call_is_plain(uintptr_t block, uintptr_t pc)
{
	return !ftsan_freed_looks_held(block) &&
	       ftsan_type_passes(ftsan_type_known(pc & ~(uintptr_t)7));
}

/* Context: start-up. */
void ftsan_types_init(const struct ftsan_freed_host *host);

/*
 * Is the type an extension module's own: one of its static types, or a heap type with a
 * function or table of it? Modules of the standard library do not count. Remembered, so
 * an address that another type gets later may have the former one's answer; it decides
 * no more than whether a block is held. Context: any; a known one costs a load.
 */
bool ftsan_type_is_own(uintptr_t type);

/*
 * Mode AUTO: one more block of that type, or freed by the call at that address, is to be
 * held. Past FTSAN_FREED_FEW it is sampled from now on, by its pace. Context: any.
 * Return: how many there were before.
 */
uint32_t ftsan_type_count(uintptr_t key);

#endif
