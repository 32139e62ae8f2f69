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

/**
 * struct ftsan_freed_types - whose types are, as far as it is known; for the inline below
 * @begin, @bytes: the interpreter, whose static types are no extension's
 * @ob_type: offset in an object
 * @known:   addresses of types by hash, with an enum ftsan_type_known in the low bits;
 *           of places that free buffers, too
 * @held:    beside each, how many were held
 */
enum { FTSAN_FREED_TYPES = 2048 };
enum ftsan_type_known {
	FTSAN_TYPE_UNKNOWN,
	FTSAN_TYPE_PLAIN,
	FTSAN_TYPE_OWN,
	FTSAN_TYPE_SAMPLED, /* OWN, and so many were held that a sample does */
};
struct ftsan_freed_types {
	uintptr_t begin, bytes;
	uint32_t ob_type;
	_Atomic uintptr_t known[FTSAN_FREED_TYPES];
	_Atomic uint32_t held[FTSAN_FREED_TYPES];
};
extern FTSAN_HIDDEN struct ftsan_freed_types ftsan_freed_types;

static inline _Atomic uintptr_t *ftsan_type_entry_of(uintptr_t type)
{
	return &ftsan_freed_types.known[(type * UINT64_C(0x9e3779b97f4a7c15) >> 48) %
					FTSAN_FREED_TYPES];
}

/* What is known of the address of a type, or of any other number. Any context. */
static inline enum ftsan_type_known ftsan_type_known(uintptr_t type)
{
	uintptr_t value;

	if (type - ftsan_freed_types.begin < ftsan_freed_types.bytes)
		return FTSAN_TYPE_PLAIN;
	value = atomic_load_explicit(ftsan_type_entry_of(type), memory_order_relaxed);
	return (value & ~(uintptr_t)7) == type && type != 0
		       ? (enum ftsan_type_known)(value & 7)
		       : FTSAN_TYPE_UNKNOWN;
}

/* Counts the calling thread's frees of what is sampled. */
extern FTSAN_TLS uint32_t ftsan_freed_turns;

/**
 * ftsan_freed_is_plain() - does mode `own` or `auto` leave this block alone for certain?
 * @block: a block of the object allocator, live; in a few loads
 */
static inline bool ftsan_freed_is_plain(uintptr_t block)
{
	enum ftsan_type_known known;
	uint32_t at = ftsan_freed_types.ob_type;

	/* No load past the end of a slice. */
	if (ftsan_freed_looks_held(block) || FTSAN_UNLIKELY((block & 0xffff) > 0xffc0))
		return false;
	known = ftsan_type_known(ftsan_member(block, at));
	/* Two words may precede the object. */
	if (known == FTSAN_TYPE_UNKNOWN)
		known = ftsan_type_known(ftsan_member(block + 16, at));
	if (FTSAN_LIKELY(known == FTSAN_TYPE_PLAIN))
		return true;
	return known == FTSAN_TYPE_SAMPLED && !ftsan_freed_turn(++ftsan_freed_turns);
}

/* The same of a buffer that an extension's call at @pc frees. */
static inline bool ftsan_freed_call_is_plain(uintptr_t block, uintptr_t pc)
{
	return !ftsan_freed_looks_held(block) &&
	       ftsan_type_known(pc & ~(uintptr_t)7) == FTSAN_TYPE_SAMPLED &&
	       !ftsan_freed_turn(++ftsan_freed_turns);
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
 * held. Past FTSAN_FREED_FEW it is sampled from now on. Context: any.
 * Return: how many there were before.
 */
uint32_t ftsan_type_count(uintptr_t key, enum ftsan_type_known known);

#endif
