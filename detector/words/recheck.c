#include "words/recheck.h"

#include "base/base.h"
#include "threads/threads.h"
#include "words/words_thread.h"

static const uint64_t SPIN_MAX_NS = 100u * 1000;
enum { SPIN_PART = 10 }; /* of the scout's period */

static ftsan_recheck_fn on_change; /* set once at start */

void ftsan_recheck_init(ftsan_recheck_fn changed)
{
	on_change = changed;
}

static bool value_of(const struct ftsan_watchpoint *point, uint64_t *value)
{
	*value = 0;
	return point->length <= sizeof(*value) &&
	       ftsan_safe_read(value, (const void *)point->address, point->length) == 0;
}

/* --- the thread ------------------------------------------------------------------- */

/*
 * Between the two the scout leaves the thread's levels alone. A signal handler of the
 * program may end either by siglongjmp: the next call sets the sequence right.
 */
static void open_levels(struct ftsan_recheck *recheck)
{
	uint32_t sequence =
		atomic_load_explicit(&recheck->sequence, memory_order_relaxed);

	atomic_store_explicit(&recheck->sequence, (sequence + 1) | 1,
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void close_levels(struct ftsan_recheck *recheck)
{
	uint32_t sequence =
		atomic_load_explicit(&recheck->sequence, memory_order_relaxed);

	atomic_store_explicit(&recheck->sequence, (sequence | 1) + 1,
			      memory_order_release);
}

static void set_depth(struct ftsan_recheck *recheck, uint32_t depth)
{
	open_levels(recheck);
	atomic_store_explicit(&recheck->depth, depth, memory_order_relaxed);
	close_levels(recheck);
}

static uint32_t fill(struct ftsan_recheck_level *level,
		     const struct ftsan_watchpoint *points, unsigned n)
{
	uint32_t used = 0;

	for (unsigned i = 0; i < n && used < FTSAN_RECHECK_WORDS; i++) {
		level->points[used] = points[i];
		used += value_of(&points[i], &level->points[used].value);
	}
	return used;
}

unsigned ftsan_recheck_begin(struct ftsan_thread *thread,
			     const struct ftsan_watchpoint *points, unsigned n)
{
	struct ftsan_recheck *recheck = &ftsan_words_of(thread)->recheck;
	uint32_t depth = atomic_load_explicit(&recheck->depth, memory_order_relaxed);
	struct ftsan_recheck_level *level = &recheck->levels[depth];

	if (on_change == NULL || n == 0)
		return 0;
	if (n > FTSAN_RECHECK_WORDS || depth == FTSAN_RECHECK_LEVELS)
		ftsan_count(recheck_left_out);
	if (depth == FTSAN_RECHECK_LEVELS)
		return 0;
	open_levels(recheck);
	atomic_store_explicit(&level->generation, ++recheck->generation | 1u << 31,
			      memory_order_relaxed);
	atomic_store_explicit(&level->n, fill(level, points, n), memory_order_relaxed);
	atomic_store_explicit(&recheck->depth, depth + 1, memory_order_relaxed);
	close_levels(recheck);
	ftsan_count(rechecks);
	return depth + 1;
}

/* marked() - the word that the scout saw changed in this very operation, or n. */
static uint32_t marked(const struct ftsan_recheck_level *level)
{
	uint64_t mark = atomic_load_explicit(&level->mark, memory_order_acquire);

	if (mark >> 32 != atomic_load_explicit(&level->generation, memory_order_relaxed))
		return FTSAN_RECHECK_WORDS;
	return (uint32_t)mark - 1;
}

static void judge(struct ftsan_thread *thread, const struct ftsan_watchpoint *point,
		  uint64_t seen, bool lasting)
{
	struct ftsan_recheck_change change = {
		.point = *point, .seen = seen, .lasting = lasting};

	ftsan_count(recheck_changes);
	on_change(thread, &change);
}

void ftsan_recheck_end(struct ftsan_thread *thread, unsigned handle)
{
	struct ftsan_recheck *recheck = &ftsan_words_of(thread)->recheck;
	struct ftsan_recheck_level *level;
	uint64_t seen, now;
	uint32_t n, mark;

	if (handle == 0 ||
	    atomic_load_explicit(&recheck->depth, memory_order_relaxed) < handle)
		return;
	level = &recheck->levels[handle - 1];
	/* Nobody's from here on: the judge may enter operations of its own. */
	set_depth(recheck, handle - 1);
	mark = marked(level);
	seen = atomic_load_explicit(&level->seen, memory_order_relaxed);
	n = atomic_load_explicit(&level->n, memory_order_relaxed);
	for (uint32_t i = 0; i < n; i++) {
		if (value_of(&level->points[i], &now) && now != level->points[i].value)
			judge(thread, &level->points[i], now, true);
		else if (i == mark)
			judge(thread, &level->points[i], seen, false);
	}
}

void ftsan_recheck_drop(struct ftsan_thread *thread, unsigned handle)
{
	struct ftsan_recheck *recheck = &ftsan_words_of(thread)->recheck;

	if (handle != 0 &&
	    atomic_load_explicit(&recheck->depth, memory_order_relaxed) >= handle)
		set_depth(recheck, handle - 1);
}

void ftsan_recheck_reset(struct ftsan_thread *thread)
{
	if (atomic_load_explicit(&ftsan_words_of(thread)->recheck.depth,
				 memory_order_relaxed) != 0)
		set_depth(&ftsan_words_of(thread)->recheck, 0);
}

void ftsan_recheck_fork_child(void)
{
	const struct ftsan_thread *self = ftsan_thread_self();
	struct ftsan_thread *thread;

	for (uint32_t i = 0; (thread = ftsan_thread_at(i)) != NULL; i++)
		if (thread != self)
			ftsan_recheck_reset(thread);
}

/* --- the scout -------------------------------------------------------------------- */

static bool unchanged(const struct ftsan_recheck *recheck, uint32_t sequence)
{
	/* What was read before must not be read after the sequence. */
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&recheck->sequence, memory_order_relaxed) == sequence;
}

static void put_mark(struct ftsan_recheck_level *level, uint32_t generation,
		     uint32_t word, uint64_t value)
{
	/* The first change of an operation is kept. */
	if (atomic_load_explicit(&level->mark, memory_order_relaxed) >> 32 == generation)
		return;
	atomic_store_explicit(&level->seen, value, memory_order_relaxed);
	atomic_store_explicit(&level->mark, (uint64_t)generation << 32 | (word + 1),
			      memory_order_release);
}

/* look_at_level() - false when the operation ended, or another began, meanwhile. */
static bool look_at_level(const struct ftsan_recheck *recheck,
			  struct ftsan_recheck_level *level, uint32_t sequence)
{
	uint32_t n = atomic_load_explicit(&level->n, memory_order_relaxed);
	uint32_t generation =
		atomic_load_explicit(&level->generation, memory_order_relaxed);

	for (uint32_t i = 0; i < n && i < FTSAN_RECHECK_WORDS; i++) {
		struct ftsan_watchpoint point = level->points[i];
		uint64_t value;
		bool readable;

		if (!unchanged(recheck, sequence))
			return false; /* @point is torn */
		readable = value_of(&point, &value);
		if (!unchanged(recheck, sequence))
			return false; /* the memory may be somebody else's by now */
		if (readable && value != point.value)
			put_mark(level, generation, i, value);
	}
	return true;
}

/* look_at() - how many levels the thread has. */
static uint32_t look_at(struct ftsan_recheck *recheck)
{
	uint32_t sequence =
		atomic_load_explicit(&recheck->sequence, memory_order_acquire);
	uint32_t depth = atomic_load_explicit(&recheck->depth, memory_order_relaxed);

	if (sequence % 2 != 0)
		return 1; /* busy: one is about to come, or to go */
	for (uint32_t i = 0; i < depth && i < FTSAN_RECHECK_LEVELS; i++)
		if (!look_at_level(recheck, &recheck->levels[i], sequence))
			break;
	return depth;
}

static uint32_t look_at_all(void)
{
	struct ftsan_thread *thread;
	uint32_t levels = 0;

	for (uint32_t i = 0; (thread = ftsan_thread_at(i)) != NULL; i++)
		if (atomic_load_explicit(&thread->tid, memory_order_relaxed) != 0)
			levels += look_at(&ftsan_words_of(thread)->recheck);
	return levels;
}

bool ftsan_recheck_on(void)
{
	return on_change != NULL;
}

void ftsan_recheck_scout(uint64_t period_ns)
{
	uint64_t spin = period_ns / SPIN_PART, end;

	if (!ftsan_recheck_on())
		return;
	if (spin > SPIN_MAX_NS)
		spin = SPIN_MAX_NS;
	end = ftsan_sys_now_ns() + spin;
	while (look_at_all() > 0 && ftsan_sys_now_ns() < end)
		;
}

/* --- reports ---------------------------------------------------------------------- */

bool ftsan_recheck_report(struct ftsan_thread *thread,
			  const struct ftsan_recheck_change *change,
			  struct ftsan_incident *incident)
{
	ftsan_stack_capture_here(&thread->stack);
	incident->confidence = FTSAN_PROBABLE;
	incident->address = change->point.address;
	incident->headline = "value changed, unknown origin,";
	incident->description = "a rechecked word";
	incident->has_old = incident->has_new = true;
	incident->old_value =
		ftsan_watch_shown(change->point.value, change->point.length);
	incident->new_value = ftsan_watch_shown(change->seen, change->point.length);
	incident->n_parties = 1;
	incident->parties[0] = ftsan_party_of(thread, FTSAN_ROLE_CALL, NULL);
	return ftsan_report(incident);
}
