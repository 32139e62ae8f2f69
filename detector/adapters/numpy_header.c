#include "adapters/numpy_header.h"

#include <string.h>

#include "adapters/numpy_words.h"
#include "base/base.h"
#include "budget/budget.h"
#include "findings/findings.h"
#include "operations/operations.h"
#include "pages/pages.h"
#include "rules/rules.h"
#include "threads/threads.h"
#include "words/words.h"

enum { REPORTS_PER_SITE = 16 };

/*
 * Two sets of four: the first two words, which anybody can change by a macro, always.
 * Where there are fewer registers, a set takes several turns; but for the first @always
 * of its words, which are there in each.
 */
static const struct set {
	uint8_t always;
	uint8_t words[FTSAN_WATCH_WORDS];
} sets[2] = {{0,
	      {FTSAN_HEADER_FLAGS, FTSAN_HEADER_DESCR, FTSAN_HEADER_ND,
	       FTSAN_HEADER_DIMENSIONS}},
	     {0,
	      {FTSAN_HEADER_FLAGS, FTSAN_HEADER_DESCR, FTSAN_HEADER_STRIDES,
	       FTSAN_HEADER_BASE}}},
  buffer_set = {1,
		{FTSAN_HEADER_BUFFER_INFO, FTSAN_HEADER_FLAGS, FTSAN_HEADER_DESCR,
		 FTSAN_HEADER_ND}};

/* Of PyObject without a GIL: ob_tid, 16 bits of flags, ob_mutex, whose lowest bit says
 * that it is taken (Include/object.h, Include/cpython/lock.h; 3.13 to 3.15). */
enum { OB_MUTEX = 10, MUTEX_LOCKED = 1 };

/* Set once at start. */
static bool latent, race;
static bool with_gil;
static bool lost_updates; /* stores that change nothing are told */

/* --- who is inside what ----------------------------------------------------------- */

static bool is_inside(const struct ftsan_thread *thread, uintptr_t header)
{
	uint32_t n = atomic_load_explicit(&ftsan_operations_of(thread)->inside.n,
					  memory_order_acquire);

	if (atomic_load_explicit(&thread->tid, memory_order_relaxed) == 0)
		return false;
	for (uint32_t i = 0; i < n && i < FTSAN_INSIDE; i++)
		if (atomic_load_explicit(&ftsan_operations_of(thread)->inside.headers[i],
					 memory_order_relaxed) == header)
			return true;
	return false;
}

static bool inside(uintptr_t header, const struct ftsan_thread *self,
		   struct ftsan_party *who)
{
	struct ftsan_thread *thread;

	for (uint32_t i = 0; (thread = ftsan_thread_at(i)) != NULL; i++) {
		if (thread == self || !is_inside(thread, header))
			continue;
		ftsan_thread_read_name(thread);
		who->tid = atomic_load_explicit(&thread->tid, memory_order_relaxed);
		who->name = thread->name;
		return true;
	}
	return false;
}

/* Is the array's own lock taken? Whoever enters its critical section takes it. */
static bool is_locked(uintptr_t header)
{
	uint8_t mutex;

	return !with_gil &&
	       ftsan_safe_read(&mutex, (const void *)(header + OB_MUTEX), 1) == 0 &&
	       (mutex & MUTEX_LOCKED) != 0;
}

static bool is_ordered(const struct ftsan_watchpoint *point)
{
	return point->tag == FTSAN_HEADER_BUFFER_INFO && is_locked(point->object);
}

static const struct ftsan_word_host word_host = {
	.inside = inside, .describe = ftsan_header_describe, .ordered = is_ordered};

/* --- what a change means ------------------------------------------------------------ */

static bool is_importing(void)
{
	return ftsan_tstate_get != NULL &&
	       ftsan_pyquick_importing(&ftsan_abi, (uintptr_t)ftsan_tstate_get());
}

static bool is_hazard(const struct ftsan_thread *thread,
		      const struct ftsan_watchpoint *point, bool unchanged)
{
	const struct ftsan_operation_frame *frame =
		ftsan_operations_of(thread)->innermost;
	const struct ftsan_operation_array *array =
		ftsan_operation_array_at(frame, point->object);
	struct ftsan_hazard_question question = {
		.is_argument = array != NULL,
		.mutator = frame != NULL && frame->operation->mutator,
		.points_here = true,
		.output_flags = array != NULL && array->output &&
				point->tag == FTSAN_HEADER_FLAGS,
		.locked = is_ordered(point),
		.unchanged = unchanged,
		.importing = unchanged && is_importing(),
	};

	if (question.is_argument)
		question.fresh = ftsan_operation_is_fresh(thread, point->object);
	return ftsan_rule_hazard(&question);
}

static void report_hazard(struct ftsan_thread *thread,
			  const struct ftsan_watchpoint *point, uint64_t now)
{
	const struct ftsan_operation_frame *frame =
		ftsan_operations_of(thread)->innermost;
	struct ftsan_object object;
	struct ftsan_access access = {.address = point->address,
				      .size = point->length,
				      .role = FTSAN_ROLE_WRITE,
				      .exact = true};
	struct ftsan_incident incident = {
		.kind = FTSAN_KIND_HAZARD,
		.confidence = FTSAN_LATENT,
		.address = point->address,
		.object = &object,
		.has_old = true,
		.has_new = true,
		.old_value = ftsan_watch_shown(point->value, point->length),
		.new_value = ftsan_watch_shown(now, point->length),
		.n_parties = 1,
	};

	if (now == point->value)
		ftsan_word_lost_update(&incident);
	ftsan_object_clear(&object);
	ftsan_header_describe(point, &object);
	ftsan_operation_tell(frame, ftsan_operation_array_at(frame, point->object),
			     &incident);
	incident.parties[0] = ftsan_party_of(thread, FTSAN_ROLE_WRITE, &access);
	(void)ftsan_report(&incident);
}

static void look_for_hazard(struct ftsan_thread *thread,
			    const struct ftsan_watchpoint *point, void *ucontext)
{
	struct ftsan_site *site;
	uint64_t now;

	if (point->reads || !ftsan_watch_read(point, &now) ||
	    !ftsan_rule_store_counts(now != point->value, point->did == FTSAN_DID_STORE,
				     lost_updates) ||
	    !is_hazard(thread, point, now == point->value))
		return;
	if (now != point->value)
		ftsan_operation_harm(ftsan_operations_of(thread)->innermost->operation);
	site = ftsan_site_of(ftsan_context_ip(ucontext));
	if (site != NULL &&
	    atomic_fetch_add_explicit(&site->hazards, 1, memory_order_relaxed) >=
		    REPORTS_PER_SITE)
		return;
	ftsan_stack_capture(&thread->stack, ucontext);
	report_hazard(thread, point, now);
}

static void on_hit(struct ftsan_thread *thread, const struct ftsan_watchpoint *point,
		   void *ucontext)
{
	struct ftsan_watchpoint hit = *point;

	if (!ftsan_watch_proven(&hit, ucontext))
		return;
	if (latent)
		look_for_hazard(thread, &hit, ucontext);
	if (race)
		ftsan_word_hit(thread, &hit, ucontext);
}

/* on_change() - a recheck: some thread changed the word while the operation lasted. */
static void on_change(struct ftsan_thread *thread,
		      const struct ftsan_recheck_change *change)
{
	const struct ftsan_operation_frame *frame =
		ftsan_operations_of(thread)->innermost;
	struct ftsan_party who = {.role = FTSAN_ROLE_CALL};
	struct ftsan_recheck_question question = {
		.others = race && inside(change->point.object, thread, &who),
		.exclusive = frame->operation->mutator,
		.latent = latent && is_hazard(thread, &change->point, false),
	};
	enum ftsan_recheck_verdict verdict = ftsan_rule_recheck(&question);
	struct ftsan_object object;
	struct ftsan_incident incident = {.object = &object};

	/* An operation inside was documented to do it. */
	if (verdict == FTSAN_RECHECK_NOTHING || frame->changed)
		return;
	ftsan_object_clear(&object);
	ftsan_header_describe(&change->point, &object);
	if (verdict == FTSAN_RECHECK_HAZARD)
		ftsan_operation_harm(frame->operation);
	incident.kind =
		verdict == FTSAN_RECHECK_RACE ? FTSAN_KIND_RACE : FTSAN_KIND_HAZARD;
	ftsan_operation_tell(frame, ftsan_operation_array_at(frame, change->point.object),
			     &incident);
	(void)ftsan_recheck_report(thread, change, &incident);
}

/* --- what is watched ---------------------------------------------------------------- */

/* In race mode one that threads share: of the others nothing can be found. */
static const struct ftsan_operation_array *
choose(const struct ftsan_operation_frame *frame, unsigned number)
{
	unsigned n = 0;

	for (unsigned i = 0; i < frame->n_arrays; i++)
		n += frame->arrays[i].shared;
	if (n == 0 || frame->sampled)
		return &frame->arrays[number % frame->n_arrays];
	number %= n;
	for (unsigned i = 0;; i++)
		if (frame->arrays[i].shared && number-- == 0)
			return &frame->arrays[i];
}

/*
 * fill_watch() - words of one array, as many as there are registers; another array and
 * other words at other times. Not in plain turns: a program's operations come in turns
 * themselves, and the second of every two would never see the other half.
 */
static unsigned fill_watch(const struct ftsan_operation_frame *frame, unsigned registers,
			   unsigned turn, struct ftsan_watchpoint *points)
{
	uint32_t mixed = turn * 0x9e3779b9u;
	const struct ftsan_operation_array *array = choose(frame, mixed >> 16);
	const struct set *set = &sets[(mixed >> 30) % FTSAN_ARRAY_LEN(sets)];

	/* Without dims it is the number of them that anybody would change. */
	if (array->buffer == 0)
		set = &sets[0];
	/* With a GIL it is what orders them. */
	if (frame->operation->hands_out && !with_gil)
		set = &buffer_set;

	for (unsigned i = 0; i < registers; i++) {
		unsigned at = ftsan_rule_watch_turn(FTSAN_WATCH_WORDS, set->always,
						    registers, mixed >> 8, i);

		points[i] = ftsan_header_point(array->header, set->words[at]);
	}
	return registers;
}

/* A store to one of the arrays is held up just now: its word, for loads as well. */
static bool fill_stalled(const struct ftsan_operation_frame *frame,
			 struct ftsan_watchpoint *point)
{
	for (unsigned i = 0; i < frame->n_arrays; i++)
		if (ftsan_word_stalled(frame->arrays[i].header, point))
			return true;
	return false;
}

static void watch(struct ftsan_thread *thread, struct ftsan_operation_frame *frame)
{
	if (race && fill_stalled(frame, &frame->points[0]))
		frame->n_points = 1;
	else
		frame->n_points = (uint8_t)fill_watch(
			frame, ftsan_watch_registers(thread),
			ftsan_operations_of(thread)->turn++, frame->points);
	(void)ftsan_watch_arm(thread, frame->points, frame->n_points);
}

static void compare(struct ftsan_thread *thread, struct ftsan_operation_frame *frame)
{
	struct ftsan_watchpoint points[2 * FTSAN_HEADER_COMPARED];
	unsigned n = 0;

	for (unsigned i = 0; i < frame->n_arrays && i < 2; i++)
		for (unsigned word = 0; word < FTSAN_HEADER_COMPARED; word++)
			points[n++] = ftsan_header_point(frame->arrays[i].header, word);
	frame->recheck = ftsan_recheck_begin(thread, points, n);
}

static void header_watch(struct ftsan_thread *thread, struct ftsan_operation_frame *frame)
{
	if (ftsan_watch_active())
		watch(thread, frame);
	else
		compare(thread, frame);
}

static void header_unwatch(struct ftsan_thread *thread,
			   struct ftsan_operation_frame *frame)
{
	const struct ftsan_operation_frame *outer = frame->outer;

	ftsan_recheck_end(thread, frame->recheck);
	if (frame->n_points == 0)
		return;
	while (outer != NULL && outer->n_points == 0)
		outer = outer->outer;
	/* In race mode it is a shared array, which will be watched again, unless there is
	 * no time for it: each switch to the thread would go on loading the registers. In
	 * latent mode the next array to be made in this one's place would hit every word.
	 */
	if (outer == NULL && !frame->sampled && ftsan_watch_has_time(false))
		ftsan_watch_park(thread);
	else if (outer == NULL)
		ftsan_watch_disarm(thread);
	else
		(void)ftsan_watch_arm(thread, outer->points, outer->n_points);
}

static void header_drop(struct ftsan_thread *thread,
			const struct ftsan_operation_frame *frame)
{
	ftsan_recheck_drop(thread, frame->recheck);
	if (frame->n_points != 0)
		ftsan_watch_park(thread);
}

static const struct ftsan_operation_host operation_host = {
	.watch = header_watch,
	.unwatch = header_unwatch,
	.drop = header_drop,
};

void ftsan_header_init(const struct ftsan_options *options, bool free_threaded)
{
	latent = ftsan_options_latent(options);
	race = ftsan_options_race(options) && free_threaded;
	with_gil = !free_threaded;
	lost_updates = strcmp(options->grade, "high") != 0;
	ftsan_watch_set_handler(on_hit);
	ftsan_word_race_init(options, &word_host);
	ftsan_operation_set_host(&operation_host);
	if (!ftsan_watch_active())
		ftsan_recheck_init(on_change);
}
