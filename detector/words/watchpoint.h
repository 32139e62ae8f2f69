/* A word to be watched, or to be compared. Data only. */
#ifndef FTSAN_WATCHPOINT_H
#define FTSAN_WATCHPOINT_H

#include <stdbool.h>
#include <stdint.h>

struct ftsan_thread;

enum { FTSAN_WATCH_WORDS = 4 }; /* debug registers of x86-64 */

enum ftsan_watch_did { FTSAN_DID_UNKNOWN, FTSAN_DID_LOAD, FTSAN_DID_STORE };

/**
 * struct ftsan_watchpoint - a word and whose it is
 * @address: aligned to @length
 * @object:  the header that the word belongs to; the engine only hands it back
 * @value:   what the word held when it was armed, or after its last hit (the engine's;
 *           ignored when arming)
 * @tag:     the caller's; handed back
 * @length:  1, 2, 4 or 8 bytes
 * @reads:   loads count, too. A hit does not tell a load from a store then
 * @did:     of a hit: what the access was, as far as the instruction tells
 */
struct ftsan_watchpoint {
	uintptr_t address;
	uintptr_t object;
	uint64_t value;
	uint32_t tag;
	uint8_t length;
	bool reads;
	enum ftsan_watch_did did;
};

/* A value of the word as a report has it: what is shorter than 8 bytes is a signed
 * number in every header that we know. Pure. */
static inline int64_t ftsan_watch_shown(uint64_t value, uint8_t length)
{
	unsigned unused_bits = 64 - 8u * length;

	return (int64_t)(value << unused_bits) >> unused_bits;
}

/*
 * A hit: @point is the slot's (its value is what the word held before), @ucontext the
 * registers after the access. Context: SIGTRAP handler on the thread that made the
 * access, every signal but SIGSEGV and SIGBUS blocked.
 */
typedef void (*ftsan_watch_hit_fn)(struct ftsan_thread *thread,
				   const struct ftsan_watchpoint *point, void *ucontext);

/**
 * ftsan_watch_part() - the part of an access that one register can watch
 * @turn: of an access that is longer, or not aligned, a different part at each
 *
 * @out gets address and length: 1, 2, 4 or 8 aligned bytes. Pure.
 */
struct ftsan_access;
void ftsan_watch_part(struct ftsan_watchpoint *out, const struct ftsan_access *access,
		      uint32_t turn);

/*
 * The word's value, zero-extended; false when unreadable. Does not hit a watchpoint of
 * the caller's, if it can be had. Async-signal-safe.
 */
bool ftsan_watch_read(const struct ftsan_watchpoint *point, uint64_t *value);

#endif
