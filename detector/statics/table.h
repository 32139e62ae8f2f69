/* The room's own: what is known of modules, pages, words and storing instructions. */
#ifndef FTSAN_STATICS_TABLE_H
#define FTSAN_STATICS_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "decode/decode.h"
#include "rules/rules.h"
#include "stacks/stacks.h"

enum {
	STATIC_MODULES = 1024,
	STATIC_PAGES = 65536,	 /* a power of two */
	STATIC_WORDS = 131072,	 /* the same */
	STATIC_WRITERS = 131072, /* the same */
	STATIC_LOCK_WORDS = 64,	 /* of one module */
	STATIC_PACKAGE = 96,
	STATIC_TAKER = 5, /* frames of who took a lock word */
};

/* A static word that is used as a lock; under the records' lock but for looking. */
struct static_lock_word {
	_Atomic uintptr_t address;
	uint32_t size;
	uint32_t serial; /* times it was taken */
	uint64_t tsc;	 /* when last */
	uintptr_t sp;	 /* of who took it last */
	int tid;
	bool given_back; /* ever: else it may be a flag that is set once, or a counter */
	bool counts;	 /* it went on from there without being given back */
	/* Where it was taken the first time, and return addresses. */
	uintptr_t frame[STATIC_TAKER];
};

struct static_module {
	const struct ftsan_module *module;
	uintptr_t begin, end;
	char package[STATIC_PACKAGE];
	bool asks_for_gil;
	bool folds; /* its compiler makes arithmetic of relaxed atomics */
	_Atomic bool gone;
	_Atomic bool has_atomics; /* its own code locks the bus for statics */
	_Atomic uint32_t traps;
	_Atomic uint32_t unread;     /* words held up whose readers couldn't be seen */
	_Atomic int last_tid;	     /* who stored last */
	_Atomic uint64_t shared_ns;  /* when that was another thread than before */
	_Atomic uint32_t open_locks; /* pages with lock words that are open just now */
	_Atomic uint64_t sealed_tsc; /* when one of those was sealed again */
	_Atomic uint32_t n_lock_words;
	_Atomic bool lock_words_full; /* some are not known */
	struct static_lock_word lock_words[STATIC_LOCK_WORDS];
};

enum static_page_state {
	STATIC_PAGE_NONE,
	STATIC_PAGE_SEALED,
	STATIC_PAGE_OPEN,   /* until @open_until, or @for_good */
	STATIC_PAGE_WINDOW, /* a thread holds its store up */
	STATIC_PAGE_GONE,
};

/**
 * struct static_page - a page that is, or was, sealed
 * @has_locks: it holds locks of libc, which the kernel looks at: never inaccessible
 * @has_atomics: bus-locked instructions were seen on it: it may hold lock words
 * @counted:   in the module's @open_locks
 * @burst:     traps in the period @burst_period that brought nothing new
 * @burst_new: others in it
 * @penalty:   periods that it stays open the next time
 * @boring:    traps in a row of words that are known to be none of our business
 * @for_good:  once it is open it stays so
 * @kernel:    calls under way in which the kernel may come to it: no window, and once it
 *             is open it stays so
 * @open_ns:   how long it was open
 */
struct static_page {
	_Atomic uintptr_t page;
	_Atomic uint16_t module;
	_Atomic uint8_t state;
	_Atomic bool has_locks;
	_Atomic bool has_atomics;
	_Atomic bool counted;
	_Atomic bool for_good;
	_Atomic uint8_t penalty;
	_Atomic uint8_t boring;
	_Atomic uint32_t kernel;
	_Atomic uint32_t burst, burst_new;
	_Atomic uint64_t burst_period;
	_Atomic uint64_t open_since;
	_Atomic uint64_t open_until;
	_Atomic uint64_t open_ns;
	uint64_t sealed_since;
};

/* What the windows on a word could show, where its page stays readable. */
enum static_sight { STATIC_SIGHT_NONE, STATIC_SIGHT_STORES, STATIC_SIGHT_LOADS };

/**
 * struct static_word - eight bytes; everything but the key under the records' lock
 * @reported: grade that is in the log, or waits for it
 * @read:     a thread was seen reading it
 */
struct static_word {
	_Atomic uintptr_t address;
	uint8_t reported;
	bool read;
	bool several_threads;
	bool together;	 /* it was seen that one function stores to other words with it */
	uint8_t checked; /* how often that was looked at */
	bool of_one;	 /* and those belong to the same variable; as @checked: */
	uint8_t checked_one;
	/* Nearest words that were stored to before and after it in such a call. */
	uintptr_t leader, follower;
	int tid;
	_Atomic uint32_t stores;
	enum static_sight sight;
	uint32_t windows, refills;
	uint64_t refilled_ns;
	bool proven;
	struct ftsan_static_facts facts;
	struct ftsan_static_lockset locks;
	uint8_t lock_kind; /* of locks.locks[0] */
	uintptr_t lock_pc;
	uint64_t first_old, first_new, last_old, last_new;
};

enum { STATIC_CALLERS = 4, STATIC_MOMENTS = 8 };

/*
 * An instruction that stored to a word. @caller: return addresses, innermost first.
 * @moments: wall clock in ns of the first store, the second, the fourth, the eighth and
 * so on, the last place being that of the latest of them: spread over the run, so that
 * they say in which tests it stores. Those two with the inventory only.
 */
struct static_writer {
	_Atomic uintptr_t pc;
	uintptr_t address;
	_Atomic uint32_t stores;
	uint16_t size;
	bool atomic, rmw, by_libc;
	uintptr_t caller[STATIC_CALLERS];
	_Atomic uint64_t moments[STATIC_MOMENTS];
};

int static_table_init(void);

/* Context: any, async-signal-safe. NULL: not there, or no room. */
struct static_page *static_page_of(uintptr_t address);
struct static_module *static_module_at(uint16_t index);
struct static_word *static_word_of(uintptr_t address);
struct static_writer *static_writer_of(uintptr_t pc, uintptr_t address, bool *is_new);

/* For adding: under the gate (engine.c). */
struct static_page *static_page_add(uintptr_t page, uint16_t module);
struct static_module *static_module_add(uint16_t *index);
unsigned static_modules(void);

/* A thread stores: is it the first time that it is another one than before, in that
 * module? Have several been storing lately, to statics of whatever module? */
bool static_note_thread(struct static_module *module, int tid);
bool static_threads_lately(void);

/* For walks over everything. */
struct static_writer *static_writer_at(uint32_t index);

/* In a fork's child: the parent tells of what it stored itself. Costs a walk. */
void static_writers_begin_anew(void);

/* One writer of records at a time. Nothing faults, and nobody waits, while it is held. */
void static_records_lock(void);
void static_records_unlock(void);
void static_records_fork_child(void);

#endif
