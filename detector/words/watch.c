#include "words/watch.h"

#include <ucontext.h>

#include "base/base.h"
#include "budget/budget.h"
#include "rules/rules.h"
#include "threads/threads.h"
#include "words/watch_slot.h"

/* Arms after which a kernel that gave too few events is asked again. */
enum { ASK_AGAIN = 1024 };

static _Atomic bool halted; /* between a detach and the next attach */

void ftsan_watch_set_own_text(uintptr_t begin, uintptr_t end)
{
	ftsan_watch_config.own_begin = begin;
	ftsan_watch_config.own_end = end;
}

bool ftsan_watch_is_own_text(uintptr_t pc)
{
	return pc - ftsan_watch_config.own_begin <
	       ftsan_watch_config.own_end - ftsan_watch_config.own_begin;
}

void ftsan_watch_reserve(unsigned registers)
{
	ftsan_watch_config.reserved = registers;
}

unsigned ftsan_watch_registers(const struct ftsan_thread *thread)
{
	unsigned limit_plus_1 = ftsan_words_of(thread)->watch.limit_plus_1;
	unsigned registers = FTSAN_WATCH_WORDS - ftsan_watch_config.reserved;

	if (limit_plus_1 != 0 && limit_plus_1 - 1 < registers)
		registers = limit_plus_1 - 1;
	return registers == 0 ? 1 : registers;
}

void ftsan_watch_set_handler(ftsan_watch_hit_fn hit)
{
	ftsan_watch_config.on_hit = hit;
}

bool ftsan_watch_active(void)
{
	return ftsan_watch_config.active;
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
		if ((kept >> i & 1) == 0 && ftsan_watch_slot_open(&watch->slots[i]))
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
		if (slot != NULL && ftsan_watch_slot_aim(thread, slot, &points[i]) == 0)
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
	if (ftsan_watch_slot_open(slot) && !ftsan_perf_is_ours(&slot->event))
		ftsan_watch_slot_lose(watch);
}

static bool affordable(void)
{
	return ftsan_rule_watch(ftsan_counted(watch_hits) + ftsan_counted(watch_stale),
				ftsan_effort_cpu_ns());
}

bool ftsan_watch_has_time(bool first)
{
	return !ftsan_watch_config.active ||
	       ftsan_rule_aim(ftsan_counted(watch_armed), ftsan_counted(watch_hits),
			      ftsan_effort_cpu_ns(), first);
}

/* rest_readers() - or our own load of the word's value would hit. */
static void rest_readers(struct ftsan_watch *watch, unsigned kept)
{
	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++)
		if ((kept >> i & 1) == 0 && watch->slots[i].armed &&
		    watch->slots[i].point.reads)
			ftsan_watch_slot_rest(watch, &watch->slots[i]);
}

/* rest_others() - how many are armed in the end. */
static unsigned rest_others(struct ftsan_watch *watch, unsigned kept)
{
	unsigned armed = 0;

	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++) {
		if ((kept >> i & 1) == 0 && watch->slots[i].armed)
			ftsan_watch_slot_rest(watch, &watch->slots[i]);
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
	if (!ftsan_watch_config.active ||
	    atomic_load_explicit(&halted, memory_order_relaxed) ||
	    ftsan_thread_is_copy(thread))
		return 0;
	if (!affordable()) {
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

	if (!ftsan_watch_config.active || ftsan_thread_is_copy(thread))
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
	uintptr_t ip = ftsan_context_ip(ucontext);

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
		ftsan_watch_slot_rest(&ftsan_words_of(thread)->watch, slot);
	if (ftsan_watch_config.on_hit != NULL)
		ftsan_watch_config.on_hit(thread, &slot->point, uc);
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
		if (slot != NULL && !signal.async)
			ftsan_watch_slot_rest(&ftsan_words_of(thread)->watch, slot);
	} else if (signal.async || is_own(ucontext)) {
		ftsan_count(watch_stale);
	} else {
		hit(thread, slot, ucontext);
	}
	return true;
}

/* --- life of the process -------------------------------------------------------- */

void ftsan_watch_thread_end(struct ftsan_thread *thread)
{
	stop_clock(&ftsan_words_of(thread)->watch, ftsan_sys_now_ns());
	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++)
		ftsan_watch_slot_close(&ftsan_words_of(thread)->watch.slots[i]);
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
	ftsan_watch_slots_fork_child();
}
