/*
 * What is remembered of words: who touched them, how, and what came of it. Private to the
 * room. Tables of fixed size where the newer entry wins: what is forgotten costs a
 * sample.
 *
 * Context of everything: any thread, async-signal-safe, lock-free.
 */
#ifndef FTSAN_SAMPLER_WORDS_H
#define FTSAN_SAMPLER_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/memory.h"
#include "rules/rules.h"

/**
 * ftsan_words_touch() - an access to the word at @address
 * @thread: index of the thread's record
 *
 * Return: what is known of the word with this access.
 */
enum ftsan_word_use ftsan_words_touch(uintptr_t address, uint32_t thread, bool writes);

/* The same of an item of an array in the object or block at @begin: of all of them. */
enum ftsan_word_use ftsan_words_touch_around(uintptr_t begin, uint32_t thread,
					     bool writes);

/*
 * What a word is called in the tables below: field of a type where it is one (all its
 * instances are one word), else the address. Never 0.
 */
uint64_t ftsan_words_key(const struct ftsan_memory *memory);

/* To CPython's own code: fields of its own types are one word each, too. */
uint64_t ftsan_words_interpreter_key(const struct ftsan_memory *memory);

/* What the object or block around it is called: of all objects of a type the same. 0: it
 * is in neither. */
uint64_t ftsan_words_around_key(const struct ftsan_memory *memory);

/* What an instruction is called there. */
static inline uint64_t ftsan_words_site_key(uintptr_t pc)
{
	return pc | UINT64_C(3) << 62;
}

/* An access to the word that no compiler makes for an atomic was seen; was one? */
void ftsan_words_note_plain(uint64_t key);
bool ftsan_words_was_plain(uint64_t key);

/* CPython's own code has changed the field in place; did it? */
void ftsan_words_note_updated(const struct ftsan_memory *memory);
bool ftsan_words_was_updated(const struct ftsan_memory *memory);

/* A load of the word was seen; was one? */
void ftsan_words_note_read(uint64_t key);
bool ftsan_words_was_read(uint64_t key);

/* Threads that were held before an access to the word in vain. */
uint32_t ftsan_words_fruitless(uint64_t key);
void ftsan_words_note_fruitless(uint64_t key);
void ftsan_words_forget_fruitless(uint64_t key);

/* The value that was there has been stored, while a thread was held: the next time it may
 * be another one. True: so seldom yet that it goes on being looked at. */
bool ftsan_words_may_differ(uint64_t key);

/*
 * The instruction at @pc has put another value in the place of one, in the object at
 * @begin that other threads use; and has it done so often enough to go by?
 */
void ftsan_words_note_varies(uintptr_t pc, uintptr_t begin);
bool ftsan_words_varies(uintptr_t pc, uintptr_t begin);

/* It is known what there is to be known: no thread is held for it any more. */
void ftsan_words_settle(uint64_t key);
bool ftsan_words_settled(uint64_t key);

/* A new run begins: nothing was seen. Context: start-up. False: no memory. */
bool ftsan_words_reset(void);

#endif
