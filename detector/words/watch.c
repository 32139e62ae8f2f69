#include "words/watch.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "base/base.h"
#include "rules/rules.h"
#include "threads/threads.h"
#include "words/watch_reason.h"
#include "words/words_thread.h"

enum {
	/* Threads beyond these have no events: a descriptor a word adds up. */
	EVENTS_MAX = 256 * FTSAN_WATCH_WORDS,
	/* And at most this part of the descriptors that the program may have. */
	DESCRIPTORS_PART = 8,
	/* The program may close ours once (as daemons do) before we give up. */
	LOST_MAX = 1,
	/* Arms after which a kernel that gave too few events is asked again. */
	ASK_AGAIN = 1024,
};

/*
 * What a signal carries: who armed what, and when. A program's own events with the same
 * upper bits in their sig_data would be taken for ours; 24 bits make that unlikely.
 */
#define DATA_MAGIC UINT64_C(0x66b7a5)
enum {
	DATA_MAGIC_SHIFT = 40,
	DATA_THREAD_SHIFT = 28,
	DATA_SLOT_SHIFT = 26,
	DATA_THREADS = 1 << (DATA_MAGIC_SHIFT - DATA_THREAD_SHIFT),
	DATA_GENERATIONS = 1 << DATA_SLOT_SHIFT,
};
_Static_assert((int)FTSAN_THREADS_MAX <= (int)DATA_THREADS, "an index fits");
_Static_assert((int)FTSAN_WATCH_WORDS <= 1 << (DATA_THREAD_SHIFT - DATA_SLOT_SHIFT),
	       "a slot fits");

/* Set once at start. */
static bool active;
static uint32_t events_max;
static uint64_t began_ns;
static uintptr_t own_begin, own_end;
static unsigned reserved;
static ftsan_watch_hit_fn on_hit;

static _Atomic uint32_t events_open;
static _Atomic bool halted; /* between a detach and the next attach */

void ftsan_watch_set_own_text(uintptr_t begin, uintptr_t end)
{
	own_begin = begin;
	own_end = end;
}

bool ftsan_watch_is_own_text(uintptr_t pc)
{
	return pc - own_begin < own_end - own_begin;
}

void ftsan_watch_reserve(unsigned registers)
{
	reserved = registers;
}

void ftsan_watch_set_handler(ftsan_watch_hit_fn hit)
{
	on_hit = hit;
}

bool ftsan_watch_active(void)
{
	return active;
}

bool ftsan_watch_read(const struct ftsan_watchpoint *point, uint64_t *value)
{
	const void *from = (const void *)point->address;

	*value = 0;
	/* The kernel's copy is no access of ours: events leave out kernel mode. */
	if (point->reads && ftsan_mem_read(value, point->address, point->length) == 0)
		return true;
	return ftsan_safe_read(value, from, point->length) == 0;
}

/* --- one slot ------------------------------------------------------------------- */

static struct ftsan_perf_target target_of(const struct ftsan_thread *thread,
					  const struct ftsan_watch_slot *slot)
{
	uint64_t at = (uint64_t)(slot - ftsan_words_of(thread)->watch.slots);

	return (struct ftsan_perf_target){
		.address = slot->point.address,
		.length = slot->point.length,
		.reads = slot->point.reads,
		.data = DATA_MAGIC << DATA_MAGIC_SHIFT |
			(uint64_t)thread->index << DATA_THREAD_SHIFT |
			at << DATA_SLOT_SHIFT | slot->generation,
	};
}

static bool is_open(const struct ftsan_watch_slot *slot)
{
	return slot->event.number_plus_1 != 0;
}

static void close_slot(struct ftsan_watch_slot *slot)
{
	if (!is_open(slot))
		return;
	/* Somebody may hold the descriptor still: the copy that a raw clone made. */
	(void)ftsan_perf_rest(&slot->event);
	ftsan_perf_close(&slot->event);
	slot->armed = false;
	atomic_fetch_sub_explicit(&events_open, 1, memory_order_relaxed);
}

/* lose() - the program took descriptors of ours: those that are gone are forgotten. */
static void lose(struct ftsan_watch *watch)
{
	ftsan_count(watch_lost);
	watch->lost++;
	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++)
		if (!ftsan_perf_is_ours(&watch->slots[i].event))
			close_slot(&watch->slots[i]);
}

static int open_slot(struct ftsan_thread *thread, struct ftsan_watch_slot *slot)
{
	struct ftsan_watch *watch = &ftsan_words_of(thread)->watch;
	struct ftsan_perf_target to = target_of(thread, slot);
	unsigned at = (unsigned)(slot - watch->slots);
	int error = -EMFILE;

	if (at >= FTSAN_WATCH_WORDS - reserved)
		return -ENOSPC;
	if (watch->limit_plus_1 != 0 && at >= watch->limit_plus_1 - 1u)
		return -ENOSPC;
	if (atomic_fetch_add_explicit(&events_open, 1, memory_order_relaxed) < events_max)
		error = ftsan_perf_open(&slot->event, &to);
	if (error != 0) {
		atomic_fetch_sub_explicit(&events_open, 1, memory_order_relaxed);
		watch->limit_plus_1 = (uint8_t)(at + 1);
	}
	return error;
}

/* rest() - the words of the slot are the program's alone again. */
static void rest(struct ftsan_watch *watch, struct ftsan_watch_slot *slot)
{
	slot->armed = false;
	if (is_open(slot) && ftsan_perf_rest(&slot->event) == -EBADF)
		lose(watch);
}

static int point_at(struct ftsan_thread *thread, struct ftsan_watch_slot *slot,
		    const struct ftsan_watchpoint *point)
{
	struct ftsan_watch *watch = &ftsan_words_of(thread)->watch;
	struct ftsan_perf_target to;
	int error = -EBADF;

	slot->armed = false;
	slot->point = *point;
	slot->hits = 0;
	slot->generation = ++watch->generation % DATA_GENERATIONS;
	if (!ftsan_watch_read(point, &slot->point.value))
		return -EFAULT;
	to = target_of(thread, slot);
	if (is_open(slot) && (error = ftsan_perf_aim(&slot->event, &to)) == -EBADF)
		lose(watch);
	if (!is_open(slot) && watch->lost <= LOST_MAX)
		error = open_slot(thread, slot);
	slot->armed = error == 0;
	return error;
}

/* --- the set -------------------------------------------------------------------- */

static void stop_clock(struct ftsan_watch *watch, uint64_t now)
{
	if (watch->n_armed > 0 && !watch->parked)
		ftsan_count_add(watch_ns, (now - watch->since_ns) * watch->n_armed);
	watch->n_armed = 0;
}

static bool same_words(const struct ftsan_watchpoint *a, const struct ftsan_watchpoint *b)
{
	return a->address == b->address && a->length == b->length && a->reads == b->reads;
}

static struct ftsan_watch_slot *find(struct ftsan_watch *watch,
				     const struct ftsan_watchpoint *point)
{
	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++)
		if (watch->slots[i].armed && same_words(&watch->slots[i].point, point))
			return &watch->slots[i];
	return NULL;
}

/* renew() - armed already: only what it belongs to, and its value, may be new. */
static void renew(struct ftsan_watch_slot *slot, const struct ftsan_watchpoint *point)
{
	uint64_t value;

	slot->hits = 0;
	slot->point.object = point->object;
	slot->point.tag = point->tag;
	if (ftsan_watch_read(point, &value))
		slot->point.value = value;
}

static struct ftsan_watch_slot *spare(struct ftsan_watch *watch, unsigned kept)
{
	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++)
		if ((kept >> i & 1) == 0 && is_open(&watch->slots[i]))
			return &watch->slots[i];
	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++)
		if ((kept >> i & 1) == 0)
			return &watch->slots[i];
	return NULL;
}

/* keep_present() - the words of @points that are watched already; a bit a slot. */
static unsigned keep_present(struct ftsan_watch *watch,
			     const struct ftsan_watchpoint *points, unsigned n,
			     unsigned *done)
{
	unsigned kept = 0;

	*done = 0;
	for (unsigned i = 0; i < n; i++) {
		struct ftsan_watch_slot *slot = find(watch, &points[i]);

		if (slot == NULL)
			continue;
		renew(slot, &points[i]);
		kept |= 1u << (slot - watch->slots);
		*done |= 1u << i;
	}
	return kept;
}

/* arm_others() - those of @points that are not @done; all that are watched then. */
static unsigned arm_others(struct ftsan_thread *thread,
			   const struct ftsan_watchpoint *points, unsigned n,
			   unsigned kept, unsigned done)
{
	struct ftsan_watch *watch = &ftsan_words_of(thread)->watch;

	for (unsigned i = 0; i < n; i++) {
		struct ftsan_watch_slot *slot;

		if ((done >> i & 1) != 0)
			continue;
		slot = spare(watch, kept);
		if (slot != NULL && point_at(thread, slot, &points[i]) == 0)
			kept |= 1u << (slot - watch->slots);
	}
	return kept;
}

static bool valid(const struct ftsan_watchpoint *point)
{
	unsigned length = point->length;

	return (length == 1 || length == 2 || length == 4 || length == 8) &&
	       point->address % length == 0;
}

static unsigned valid_ones(const struct ftsan_watchpoint *points, unsigned n)
{
	unsigned i = 0;

	while (i < n && i < FTSAN_WATCH_WORDS && valid(&points[i]))
		i++;
	return i;
}

/* check_one() - a set that stays is never aimed: is it still there? One slot a call. */
static void check_one(struct ftsan_watch *watch)
{
	struct ftsan_watch_slot *slot = &watch->slots[watch->arms++ % FTSAN_WATCH_WORDS];

	if (watch->arms % ASK_AGAIN == 0)
		watch->limit_plus_1 = 0;
	if (is_open(slot) && !ftsan_perf_is_ours(&slot->event))
		lose(watch);
}

static bool affordable(uint64_t now)
{
	return ftsan_rule_watch(ftsan_counted(watch_hits) + ftsan_counted(watch_stale),
				now - began_ns);
}

/* rest_readers() - or our own load of the word's value would hit. */
static void rest_readers(struct ftsan_watch *watch, unsigned kept)
{
	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++)
		if ((kept >> i & 1) == 0 && watch->slots[i].armed &&
		    watch->slots[i].point.reads)
			rest(watch, &watch->slots[i]);
}

/* rest_others() - how many are armed in the end. */
static unsigned rest_others(struct ftsan_watch *watch, unsigned kept)
{
	unsigned armed = 0;

	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++) {
		if ((kept >> i & 1) == 0 && watch->slots[i].armed)
			rest(watch, &watch->slots[i]);
		armed += watch->slots[i].armed;
	}
	return armed;
}

void ftsan_watch_halt(bool halt)
{
	atomic_store_explicit(&halted, halt, memory_order_seq_cst);
}

/* halt_here() - halted meanwhile: who halts has asked this thread too early. */
static unsigned halt_here(struct ftsan_thread *thread)
{
	ftsan_watch_thread_end(thread);
	return 0;
}

unsigned ftsan_watch_arm(struct ftsan_thread *thread,
			 const struct ftsan_watchpoint *points, unsigned n)
{
	struct ftsan_watch *watch = &ftsan_words_of(thread)->watch;
	uint64_t now = ftsan_sys_now_ns();
	unsigned wanted = valid_ones(points, n), kept, done, armed;

	/* An inherited descriptor is the parent's event. */
	if (!active || atomic_load_explicit(&halted, memory_order_relaxed) ||
	    ftsan_thread_is_copy(thread))
		return 0;
	if (!affordable(now)) {
		ftsan_count(watch_left_out);
		wanted = 0;
	}
	stop_clock(watch, now);
	check_one(watch);
	kept = keep_present(watch, points, wanted, &done);
	rest_readers(watch, kept);
	kept = arm_others(thread, points, wanted, kept, done);
	armed = rest_others(watch, kept);
	watch->parked = false;
	watch->since_ns = now;
	watch->n_armed = (uint8_t)armed;
	if (armed > 0)
		ftsan_count(watch_armed);
	if (armed < wanted)
		ftsan_count(watch_left_out);
	return atomic_load_explicit(&halted, memory_order_seq_cst) ? halt_here(thread)
								   : armed;
}

void ftsan_watch_disarm(struct ftsan_thread *thread)
{
	struct ftsan_watch *watch = &ftsan_words_of(thread)->watch;

	if (!active || ftsan_thread_is_copy(thread))
		return;
	stop_clock(watch, ftsan_sys_now_ns());
	(void)rest_others(watch, 0);
	watch->parked = false;
}

void ftsan_watch_park(struct ftsan_thread *thread)
{
	struct ftsan_watch *watch = &ftsan_words_of(thread)->watch;

	stop_clock(watch, ftsan_sys_now_ns());
	watch->parked = true;
}

bool ftsan_watch_any(const struct ftsan_thread *thread)
{
	return ftsan_words_of(thread)->watch.n_armed > 0;
}

bool ftsan_watch_holds(const struct ftsan_thread *thread, uintptr_t address)
{
	const struct ftsan_watch *watch = &ftsan_words_of(thread)->watch;

	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++)
		if (!watch->parked && watch->slots[i].armed &&
		    watch->slots[i].point.address == address)
			return true;
	return false;
}

/* --- hits ----------------------------------------------------------------------- */

static bool is_own(const void *ucontext)
{
	uintptr_t ip =
		(uintptr_t)((const ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP];

	return ftsan_watch_is_own_text(ip);
}

/* slot_of() - the slot of @thread that the signal is about; NULL: another thread's. */
static struct ftsan_watch_slot *slot_of(struct ftsan_thread *thread, uint64_t data)
{
	if ((data >> DATA_THREAD_SHIFT) % DATA_THREADS != thread->index)
		return NULL;
	return &ftsan_words_of(thread)
			->watch.slots[data >> DATA_SLOT_SHIFT & (FTSAN_WATCH_WORDS - 1)];
}

static bool is_watched(const struct ftsan_watch *watch,
		       const struct ftsan_watch_slot *slot, uint64_t data)
{
	return slot != NULL && !watch->parked && slot->armed &&
	       data % DATA_GENERATIONS == slot->generation;
}

static void hit(struct ftsan_thread *thread, struct ftsan_watch_slot *slot, void *uc)
{
	uint64_t value;

	ftsan_count(watch_hits);
	if (++slot->hits >= FTSAN_WATCH_HITS)
		rest(&ftsan_words_of(thread)->watch, slot);
	if (on_hit != NULL)
		on_hit(thread, &slot->point, uc);
	if (ftsan_watch_read(&slot->point, &value))
		slot->point.value = value;
}

bool ftsan_watch_trap(const siginfo_t *info, void *ucontext)
{
	struct ftsan_perf_signal signal;
	struct ftsan_thread *thread;
	struct ftsan_watch_slot *slot;

	if (!ftsan_perf_signal_read(info, &signal) ||
	    signal.data >> DATA_MAGIC_SHIFT != DATA_MAGIC)
		return false;
	thread = ftsan_thread_self();
	if (thread == NULL)
		return true;
	slot = slot_of(thread, signal.data);
	if (!is_watched(&ftsan_words_of(thread)->watch, slot, signal.data)) {
		ftsan_count(watch_stale);
		/* What touched a word that nobody asks about would do so again. A late
		 * signal may be of an earlier arming. */
		if (slot != NULL && !signal.late)
			rest(&ftsan_words_of(thread)->watch, slot);
	} else if (signal.late || is_own(ucontext)) {
		ftsan_count(watch_stale);
	} else {
		hit(thread, slot, ucontext);
	}
	return true;
}

/* --- start ---------------------------------------------------------------------- */

/* descriptors_allowed() - the program's soft limit. */
static uint64_t descriptors_allowed(void)
{
	struct rlimit limit = {.rlim_cur = 0};

	if (ftsan_sys_call6(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, (long)&limit, 0, 0) < 0)
		return 0;
	return limit.rlim_cur;
}

static void find_bounds(void)
{
	uint64_t part = descriptors_allowed() / DESCRIPTORS_PART;

	events_max = part < EVENTS_MAX ? (uint32_t)part : EVENTS_MAX;
	began_ns = ftsan_sys_now_ns();
}

static volatile uint64_t proof_word;
static volatile uint32_t proof_hits;

static void prove_hit(struct ftsan_thread *thread, const struct ftsan_watchpoint *point,
		      void *ucontext)
{
	(void)thread;
	(void)ucontext;
	proof_hits = proof_hits + (point->address == (uintptr_t)&proof_word);
}

/* try_word() - an access, with the word watched this way: how many hits, or -errno. */
static int try_word(struct ftsan_thread *thread, bool reads)
{
	struct ftsan_watchpoint point = {.address = (uintptr_t)&proof_word,
					 .length = sizeof(proof_word),
					 .reads = reads};
	struct ftsan_watch_slot *slot = &ftsan_words_of(thread)->watch.slots[0];
	int error;

	proof_hits = 0;
	error = point_at(thread, slot, &point);
	if (error < 0)
		return error;
	if (reads)
		(void)proof_word;
	else
		proof_word++;
	return (int)proof_hits;
}

static int prove(struct ftsan_thread *thread)
{
	int stored = try_word(thread, false);
	int loaded = stored == 1 ? try_word(thread, true) : 0;

	if (stored < 0)
		return stored;
	rest(&ftsan_words_of(thread)->watch, &ftsan_words_of(thread)->watch.slots[0]);
	proof_word++;
	return stored == 1 && loaded == 1 && proof_hits == 1 ? 0 : -EIO;
}

/* Own text is the program's while the proof lasts. */
static int prove_as_program(struct ftsan_thread *thread)
{
	uintptr_t end = own_end;
	ftsan_watch_hit_fn handler = on_hit;
	int error;

	own_end = own_begin;
	on_hit = prove_hit;
	error = prove(thread);
	on_hit = handler;
	own_end = end;
	return error;
}

int ftsan_watch_init(void)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	int error = -ENOMEM;

	find_bounds();
	if (thread != NULL)
		error = prove_as_program(thread);
	if (thread != NULL)
		ftsan_watch_thread_end(thread);
	ftsan_watch_note_refusal(error);
	/* The coverage record speaks of the program's words only. */
	atomic_store_explicit(&ftsan_counters.watch_hits, 0, memory_order_relaxed);
	atomic_store_explicit(&ftsan_counters.watch_stale, 0, memory_order_relaxed);
	active = error == 0;
	return error;
}

/* --- life of the process -------------------------------------------------------- */

void ftsan_watch_thread_end(struct ftsan_thread *thread)
{
	stop_clock(&ftsan_words_of(thread)->watch, ftsan_sys_now_ns());
	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++)
		close_slot(&ftsan_words_of(thread)->watch.slots[i]);
	ftsan_words_of(thread)->watch = (struct ftsan_watch){
		.generation = ftsan_words_of(thread)->watch.generation};
}

static void forget(struct ftsan_thread *thread)
{
	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++)
		ftsan_perf_close(&ftsan_words_of(thread)->watch.slots[i].event);
	ftsan_words_of(thread)->watch = (struct ftsan_watch){
		.generation = ftsan_words_of(thread)->watch.generation};
}

void ftsan_watch_fork_child(void)
{
	for (uint32_t i = 0; i < FTSAN_THREADS_MAX; i++) {
		struct ftsan_thread *thread = ftsan_thread_at(i);

		if (thread != NULL)
			forget(thread);
	}
	atomic_store_explicit(&events_open, 0, memory_order_relaxed);
	began_ns = ftsan_sys_now_ns();
}
