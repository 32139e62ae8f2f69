/* The room's own: one store that was trapped, from its fault to its end. */
#ifndef FTSAN_STATICS_STORE_H
#define FTSAN_STATICS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/rules.h"
#include "statics/statics.h"
#include "statics/table.h"

struct ftsan_thread;

enum { STATIC_HELD = 32, STATIC_STEP_PAGES = 4, STATIC_RUNS = 4, STATIC_RUN_WORDS = 8 };

/* Why a store needs no lock. */
enum static_reason {
	STATIC_JUDGED,
	STATIC_IMPORTING,
	STATIC_GUARDED,
	STATIC_LOCK_FUNCTION,
	STATIC_FOREIGN,
	STATIC_ENDING, /* by a destructor, or while the interpreter ends */
	STATIC_IN_HEADER,
};

/**
 * struct static_store - a store that is being handled
 * @page, @module, @word, @writer: @word and @writer may be NULL (no room)
 * @boring: the word is known to be none of our business
 * @known:  and most of its stores aren't looked at: nothing is asked about this one
 * @old, @new: the whole word
 * @done:   the access has been made: the thread is at the next instruction
 * @held:   locks, oldest first
 * @run:    serial of the call that it belongs to
 */
struct static_store {
	struct static_page *page;
	struct static_module *module;
	struct static_word *word;
	struct static_writer *writer;
	struct ftsan_access access;
	uintptr_t pc, sp;
	bool rmw, repeated, done;
	bool boring, known, is_new, settled;
	bool has_new;
	uint64_t old, new;
	enum static_reason reason;
	bool detached;
	bool lock_unknown;
	unsigned n_held;
	struct ftsan_static_lock held[STATIC_HELD];
	uint8_t held_kind[STATIC_HELD];
	uintptr_t held_pc[STATIC_HELD];
	uint32_t run;
	uint32_t run_words, run_repeated;
};

enum static_step_kind {
	STATIC_STEP_NONE,
	STATIC_STEP_OPEN,     /* the page is writable for one instruction */
	STATIC_STEP_REDIRECT, /* the store goes to a copy */
	STATIC_STEP_READ,     /* a closed page is readable for one instruction */
};

struct static_step {
	enum static_step_kind kind;
	uint64_t mask;
	uintptr_t pc;
	int base;
	intptr_t delta;
	uintptr_t address;
	uint32_t size;
	unsigned n_pages;
	struct static_page *pages[STATIC_STEP_PAGES];
	bool serves; /* a window's owner waits for it */
};

/* Words that one function has stored to in one call, told by its stack pointer; those
 * since @turn in this turn of its loop. */
struct static_run {
	uintptr_t sp, pc;
	uint32_t serial;
	uint8_t n, repeated, turn;
	uintptr_t words[STATIC_RUN_WORDS];
	uintptr_t pcs[STATIC_RUN_WORDS]; /* what stored to each first */
};

/* Of each thread, by its record's index. */
struct static_thread {
	struct static_store store;
	struct ftsan_insn insn;
	struct static_step step;
	uint32_t n_runs;
	uint32_t run_serial;
	struct static_run runs[STATIC_RUNS];
};

struct static_thread *static_thread_of(const struct ftsan_thread *thread);

/* observe.c: what can be known before the store is made. */
void static_observe(struct static_thread *own, struct ftsan_thread *thread,
		    const void *ucontext);
/* A lock that was taken within about a quarter of a second belongs to the call: on a busy
 * machine a thread does not run for that long at times. */
#define STATIC_RECENT_TSC (UINT64_C(750) * 1000 * 1000)
/* And one whose function has hardly returned. */
enum { STATIC_FRAME_BYTES = 512 };

/*
 * lock_words.c: static words that are used as locks. Which ones are taken at the store;
 * then what the store does to one. Neither under the records' lock.
 */
void static_add_lock_words(struct static_store *store, struct ftsan_thread *thread,
			   const void *ucontext);
void static_add_held(struct static_store *store, struct ftsan_static_lock lock,
		     uint8_t kind, uintptr_t pc);
void static_follow_lock_word(const struct static_store *store,
			     struct ftsan_thread *thread, const void *ucontext);

/* settle.c: takes the store into the records; @old and @new are known. May report. */
void static_settle(struct static_thread *own, struct ftsan_thread *thread,
		   const void *ucontext);

/* Does it store an address of memory, that is none of code? */
bool static_stores_pointer(const struct static_store *store);

/* runs.c: the store and the word are counted to their call. */
void static_count_run(struct static_thread *own);
/* Does one function store to the word and to others, in one call? By the symbols, which
 * costs something: a few times a word. */
bool static_words_together(struct static_thread *own);
/* And are they of one variable? */
bool static_words_of_one(struct static_thread *own);
/* Was another word of its variable seen to be stored to after it in a call? */
bool static_word_followed(const struct static_word *word);

/* What the rules say of a word, with what is known of the others of its calls. */
struct ftsan_static_verdict static_verdict_of(const struct static_word *word);

/* perform.c. True: done, or the page is open; false: a step is under way. */
bool static_perform(struct static_thread *own, struct ftsan_thread *thread,
		    void *ucontext);
void static_step_read(struct static_thread *own, struct ftsan_thread *thread,
		      void *ucontext, bool serves);
bool static_step_more(struct static_thread *own, uintptr_t address);
void static_step_finish(struct static_thread *own, struct ftsan_thread *thread,
			void *ucontext);
void static_step_cancel(struct static_thread *own, void *ucontext);

/* areas.c: all that were there are gone; all are writable, sealed ones open. */
void static_areas_forget(void);
void static_areas_open(void);

/* pages.c: sealing and opening. */
void static_page_open(struct static_page *page, uint64_t for_ns);
void static_page_leave_open(struct static_page *page); /* for good */
/* Of a page that the kernel is going to write to. Waits for a window. */
void static_page_surely_open(struct static_page *page, uint64_t for_ns);
void static_page_protect(struct static_page *page); /* as its state says */
/* Has it trapped too often? Then it is to be left open for a while. */
bool static_page_is_hot(struct static_page *page, const struct static_store *store);
void static_page_open_hot(struct static_page *page, const struct static_store *store);
void static_pages_poll(uint64_t now);
/* Two threads store to the module, for the first time: what was spent while one did is
 * forgiven, up to a bound, and its pages are no longer left open for long. */
void static_pages_shared(const struct static_module *module);
/* A page was opened for one instruction: counted, and its price is the budget's. */
void static_pages_stepped(void);
void static_pages_freeze(bool freeze);
/* From here on traps count for the budget. */
void static_pages_begin(void);
void static_pages_fork_child(void);

/* hazard.c */
void static_report_hazard(struct static_thread *own, struct ftsan_thread *thread,
			  struct ftsan_static_verdict verdict, const void *ucontext);
void static_hazards_poll(uint64_t now, bool all);

/* worth.c: the first store of a pointer that was NULL; any that a window may show more
 * of. */
bool static_is_first_need(const struct static_store *store);
/* Is its thread one of those that hold the GIL, and so are ordered? Not
 * asked of a store that is known. */
bool static_takes_turns(const struct static_store *store);
bool static_window_worth(const struct static_store *store);
/* How long one may be, and whether the budget has it. */
struct ftsan_site;
uint64_t static_window_length(const struct static_store *store);
bool static_window_may_open(const struct static_store *store,
			    const struct ftsan_site *site, uint64_t spent_ns);

/* window.c: opens one for the store, or comes back at once: false. */
bool static_window(struct static_thread *own, struct ftsan_thread *thread,
		   const void *ucontext);
bool static_window_is_at(const struct static_page *page);
enum static_meeting {
	STATIC_MEET_RETRY, /* nothing, or it has waited */
	STATIC_MEET_PASS,  /* of no interest: go on */
	STATIC_MEET_RACED, /* reported: go on, and tell the owner then */
};
enum static_meeting static_meet(struct static_thread *own, struct ftsan_thread *thread,
				const void *ucontext);
void static_window_serve(void);
void static_window_fork_child(void);

/* pair.c. Is it made under a lock that its own package has taken lately? */
bool static_is_locked(const struct static_store *store);
struct ftsan_static_pair_verdict static_pair_verdict(const struct static_store *held,
						     const struct static_store *met);

/* What kind of code an address belongs to, by its file's name. */
enum static_code { STATIC_CODE_MODULE, STATIC_CODE_LIBC, STATIC_CODE_FOREIGN };
enum static_code static_code_of(uintptr_t pc);

#endif
