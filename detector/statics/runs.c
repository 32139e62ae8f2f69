/* Words that one function stores to in one call: they belong together. */
#include <string.h>

#include "base/base.h"
#include "stacks/stacks.h"
#include "statics/store.h"

/* Functions are smaller, and what is further apart is not one call of one function. */
enum { FUNCTION_BYTES = 16384 };

static uintptr_t distance(uintptr_t a, uintptr_t b)
{
	return a > b ? a - b : b - a;
}

static bool belongs(const struct static_run *run, const struct static_store *store)
{
	return run->sp == store->sp && distance(store->pc, run->pc) < FUNCTION_BYTES;
}

static void drop_returned(struct static_thread *own)
{
	while (own->n_runs > 0 && own->runs[own->n_runs - 1].sp < own->store.sp)
		own->n_runs--;
}

/* The call that the store belongs to. */
static struct static_run *run_of(struct static_thread *own)
{
	const struct static_store *store = &own->store;
	struct static_run *run;

	drop_returned(own);
	if (own->n_runs > 0 && belongs(&own->runs[own->n_runs - 1], store))
		return &own->runs[own->n_runs - 1];
	if (own->n_runs == STATIC_RUNS) {
		for (unsigned i = 0; i + 1 < STATIC_RUNS; i++)
			own->runs[i] = own->runs[i + 1];
		own->n_runs--;
	}
	run = &own->runs[own->n_runs++];
	*run = (struct static_run){
		.sp = store->sp, .pc = store->pc, .serial = ++own->run_serial};
	return run;
}

/* The same instruction at the same word again: another call, or another turn of a loop.
 */
static bool begins_anew(const struct static_run *run, uintptr_t word, uintptr_t pc)
{
	for (unsigned i = 0; i < run->n; i++)
		if (run->words[i] == word)
			return run->pcs[i] == pc;
	return false;
}

/* An instruction that has stored to another word: a loop comes round. */
static bool begins_turn(const struct static_run *run, uintptr_t pc)
{
	for (unsigned i = run->turn; i < run->n; i++)
		if (run->pcs[i] == pc)
			return true;
	return false;
}

static bool is_nearer(uintptr_t than, uintptr_t other, uintptr_t address)
{
	return than == 0 || distance(other, address) < distance(than, address);
}

/* The function goes on from one word to another. */
static void note_order(uintptr_t before, uintptr_t after)
{
	struct static_word *first = static_word_of(before),
			   *second = static_word_of(after);
	bool follows = first != NULL && is_nearer(first->follower, after, before);
	bool leads = second != NULL && is_nearer(second->leader, before, after);

	if (!follows && !leads)
		return;
	static_records_lock();
	if (follows)
		first->follower = after;
	if (leads)
		second->leader = before;
	static_records_unlock();
}

static void add_word(struct static_run *run, uintptr_t word, uintptr_t pc, bool repeated)
{
	for (unsigned i = 0; i < run->n; i++)
		if (run->words[i] == word)
			return;
	for (unsigned i = run->turn; i < run->n; i++)
		note_order(run->words[i], word);
	if (run->n == STATIC_RUN_WORDS)
		return;
	run->pcs[run->n] = pc;
	run->words[run->n++] = word;
	run->repeated += repeated;
}

/* Without names code that is close by is taken for one function. */
enum { NAMELESS_BYTES = 512, CHECKS = 3 };

static bool is_same_function(uintptr_t a, uintptr_t b)
{
	char first[FTSAN_SYMBOL_MAX], second[FTSAN_SYMBOL_MAX];

	if (ftsan_symbol_name(a, first) == 0 && ftsan_symbol_name(b, second) == 0)
		return strcmp(first, second) == 0;
	return distance(a, b) < NAMELESS_BYTES;
}

/* Where statics have no names, so many words of one call are taken for one variable. */
enum { MANY_WORDS = 4 };

static bool is_same_variable(uintptr_t a, uintptr_t b, bool without_names)
{
	char first[FTSAN_SYMBOL_MAX], second[FTSAN_SYMBOL_MAX];
	uint64_t into;

	if (ftsan_symbol_object(a, first, &into) != 0 ||
	    ftsan_symbol_object(b, second, &into) != 0)
		return without_names;
	return strcmp(first, second) == 0;
}

static bool is_other_part(uintptr_t address, uintptr_t other)
{
	enum { NEAR_BYTES = 64 };

	return other != 0 &&
	       is_same_variable(address, other, distance(address, other) <= NEAR_BYTES);
}

/* One that has more to do with what came before it is the last one of its message. What
 * comes after it is the next message, in the next cell of a queue. */
bool static_word_followed(const struct static_word *word)
{
	uintptr_t address = atomic_load_explicit(&word->address, memory_order_relaxed);

	return is_other_part(address, word->follower) &&
	       (!is_other_part(address, word->leader) ||
		distance(address, word->follower) < distance(address, word->leader));
}

bool static_words_of_one(struct static_thread *own)
{
	struct static_word *word = own->store.word;
	uintptr_t address = own->store.access.address & ~(uintptr_t)7;
	const struct static_run *run;

	drop_returned(own);
	if (word->of_one || word->checked_one >= CHECKS || own->n_runs == 0)
		return word->of_one;
	word->checked_one++;
	run = &own->runs[own->n_runs - 1];
	if (own->store.access.size > 8 || own->store.repeated)
		word->of_one = true;
	for (unsigned i = 0; i < run->n && !word->of_one; i++)
		word->of_one =
			run->words[i] != address &&
			is_same_function(run->pcs[i], own->store.pc) &&
			is_same_variable(run->words[i], address, run->n >= MANY_WORDS);
	return word->of_one;
}

bool static_words_together(struct static_thread *own)
{
	struct static_word *word = own->store.word;
	const struct static_run *run;

	if (word->together || word->checked >= CHECKS || own->n_runs == 0)
		return word->together;
	word->checked++;
	run = &own->runs[own->n_runs - 1];
	if (own->store.access.size > 8 || own->store.repeated)
		word->together = true;
	for (unsigned i = 0; i < run->n && !word->together; i++)
		word->together =
			run->words[i] != (own->store.access.address & ~(uintptr_t)7) &&
			is_same_function(run->pcs[i], own->store.pc);
	return word->together;
}

void static_count_run(struct static_thread *own)
{
	struct static_store *store = &own->store;
	struct static_run *run;
	uintptr_t word = store->access.address & ~(uintptr_t)7;
	uint32_t words = (store->access.size + 7) / 8;
	/* Stored to in another call before, or never 0. */
	bool repeated = store->old != 0 || atomic_load_explicit(&store->word->stores,
								memory_order_relaxed) > 1;

	/* Atomics are none of those that belong together, nor is what stays as it was. */
	if (store->access.atomic || store->word->facts.atomic ||
	    (store->has_new && store->new == store->old && store->access.size <= 8))
		return;
	run = run_of(own);
	if (begins_anew(run, word, store->pc))
		run->n = run->repeated = run->turn = 0;
	if (begins_turn(run, store->pc))
		run->turn = run->n;
	for (uint32_t i = 0; i < words && i < STATIC_RUN_WORDS; i++)
		add_word(run, word + 8 * i, store->pc, repeated);
	/* Which ones they were nobody knows: there is no order among them. */
	if (store->repeated)
		run->n = run->repeated = run->turn = STATIC_RUN_WORDS;
	store->run = run->serial;
	store->run_words = run->n;
	store->run_repeated = run->repeated;
}
