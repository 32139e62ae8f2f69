#include "operations/operation.h"

#include <string.h>

#include "base/base.h"
#include "budget/budget.h"
#include "findings/findings.h"
#include "operations/shared.h"
#include "pages/pages.h"
#include "stacks/stacks.h"
#include "threads/threads.h"
#include "words/words.h"

/* Calls whose headers are compared, to those that are watched; and what tells the two
 * counts of a call site apart. */
enum { COMPARED_TIMES = 4096 };
#define COMPARED 0x5bd1e9955bd1e995ull

/* Set once at start. */
static const struct ftsan_operation_host *host;
static bool latent;
static bool race;
static uint32_t always;

void ftsan_operation_init(const struct ftsan_options *options, bool free_threaded)
{
	latent = ftsan_options_latent(options);
	race = ftsan_options_race(options) && free_threaded;
	always = options->sample;
	ftsan_workers_init(latent);
}

void ftsan_operation_set_host(const struct ftsan_operation_host *the_host)
{
	host = the_host;
}

bool ftsan_latent(void)
{
	return latent;
}

/* The same operation at the same line of Python, called from the same C function. */
static bool sampled(const struct ftsan_operation *operation, uintptr_t pc, uint64_t kind,
		    uint32_t first, uint64_t salt)
{
	struct ftsan_alloc_site site;

	ftsan_alloc_site_here(pc, &site);
	return ftsan_sampling_take((uintptr_t)operation ^ site.code * 31 ^
					   site.instr * 131 ^ pc * 1031 ^ salt,
				   kind, first);
}

/*
 * is_compared() - where values are compared instead of watched, a look from outside finds
 * what it finds by chance, and costs little: many more calls are looked at.
 */
static bool is_compared(const struct ftsan_operation_frame *frame)
{
	return !ftsan_watch_active() && !frame->operation->mutator &&
	       sampled(frame->operation, frame->pc, FTSAN_SAMPLING_ALIKE,
		       always * COMPARED_TIMES, COMPARED);
}

void ftsan_operation_harm(const struct ftsan_operation *operation)
{
	ftsan_count(hazards);
	ftsan_sampling_harm((uintptr_t)operation);
}

/* unhold() - what the operation had sealed. */
static void unhold(const struct ftsan_operation_frame *frame)
{
	if (!frame->sampled)
		return;
	for (unsigned i = 0; i < frame->n_arrays; i++)
		if (frame->arrays[i].held)
			ftsan_guard_unhold((const void *)frame->arrays[i].buffer,
					   frame->arrays[i].generation);
}

/* leave() - the innermost operation is over. */
static void leave(struct ftsan_thread *thread)
{
	struct ftsan_operation_frame *frame = ftsan_operations_of(thread)->innermost;

	unhold(frame);
	atomic_store_explicit(&ftsan_operations_of(thread)->inside.n, frame->n_inside,
			      memory_order_relaxed);
	ftsan_operations_of(thread)->innermost = frame->outer;
	frame->serial = 0;
}

/* drop() - the innermost operation was left without an end: its arrays may be gone. */
static void drop(struct ftsan_thread *thread)
{
	if (ftsan_operations_of(thread)->innermost->watched)
		host->drop(thread, ftsan_operations_of(thread)->innermost);
	leave(thread);
}

/* too_deep() - what is done in there belongs to no frame, so it is held against none. */
static void too_deep(struct ftsan_operation_frame *innermost)
{
	if (innermost->deeper)
		return;
	innermost->deeper = true;
	for (; innermost != NULL; innermost = innermost->outer)
		innermost->changed = true;
}

/* enter() - a frame inside those that are still there, NULL: there is no room. */
static struct ftsan_operation_frame *enter(struct ftsan_thread *thread, uintptr_t stack)
{
	struct ftsan_operation_frame *outer, *frame;

	/* The stack grows down, so one below the new call was left. */
	while (ftsan_operations_of(thread)->innermost != NULL &&
	       ftsan_operations_of(thread)->innermost->stack <= stack)
		drop(thread);
	outer = ftsan_operations_of(thread)->innermost;
	frame = outer == NULL ? ftsan_operations_of(thread)->frames : outer + 1;
	if (frame == ftsan_operations_of(thread)->frames + FTSAN_OPERATION_DEPTH) {
		too_deep(outer);
		return NULL;
	}
	if (++ftsan_operations_of(thread)->calls == 0)
		ftsan_operations_of(thread)->calls = 1;
	frame->outer = outer;
	frame->serial = ftsan_operations_of(thread)->calls;
	frame->stack = stack;
	return frame;
}

static void begin_outermost(struct ftsan_thread *thread)
{
	ftsan_operations_of(thread)->births.n = 0;
	ftsan_operations_of(thread)->births.incomplete = false;
	atomic_store_explicit(&ftsan_operations_of(thread)->inside.n, 0,
			      memory_order_relaxed);
}

struct ftsan_operation_frame *
ftsan_operation_begin(struct ftsan_operation_call *call,
		      const struct ftsan_operation *operation, uintptr_t pc)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	struct ftsan_operation_frame *frame =
		thread == NULL ? NULL : enter(thread, (uintptr_t)call);

	call->frame = frame;
	if (FTSAN_UNLIKELY(frame == NULL))
		return NULL;
	call->serial = frame->serial;
	frame->operation = operation;
	frame->name = NULL;
	frame->n_arrays = 0;
	frame->recheck = 0;
	frame->n_points = 0;
	frame->just_shared = frame->sampled = frame->changed = frame->watched =
		frame->deeper = false;
	frame->pc = pc;
	if (frame->outer == NULL)
		begin_outermost(thread);
	frame->n_inside = atomic_load_explicit(&ftsan_operations_of(thread)->inside.n,
					       memory_order_relaxed);
	ftsan_operations_of(thread)->innermost = frame;
	if (!latent)
		return frame;
	/* What a mutator does to its argument is no hazard, so there is nothing to see.
	 */
	frame->sampled = !operation->mutator &&
			 sampled(operation, pc, (uintptr_t)operation, always, 0);
	if (frame->sampled)
		ftsan_count(operations_sampled);
	ftsan_beat_at(frame->serial);
	return frame;
}

/* go_inside() - other threads may ask for it until the operation ends. */
static void go_inside(uintptr_t header)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	uint32_t n;

	if (thread == NULL)
		return;
	n = atomic_load_explicit(&ftsan_operations_of(thread)->inside.n,
				 memory_order_relaxed);
	if (n < FTSAN_INSIDE)
		atomic_store_explicit(&ftsan_operations_of(thread)->inside.headers[n],
				      header, memory_order_relaxed);
	atomic_store_explicit(&ftsan_operations_of(thread)->inside.n, n + 1,
			      memory_order_release);
}

/* An array that an operation reads and writes (a += b) is an output wherever it stands.
 */
static void label_output(struct ftsan_operation_frame *frame, uintptr_t header)
{
	for (unsigned i = 0; i < frame->n_arrays; i++)
		if (frame->arrays[i].header == header)
			frame->arrays[i].output = true;
}

/* What the table says; only races are a matter of who else uses it. */
static enum ftsan_shared uses(uintptr_t header)
{
	const struct ftsan_thread *thread = race ? ftsan_thread_self() : NULL;

	return thread != NULL ? ftsan_shared_use(header, thread->index)
			      : FTSAN_SHARED_NOT;
}

/* A guarded buffer knows its owner; an array without one has the table only. */
static bool is_shared(const void *buffer, enum ftsan_shared seen)
{
	if (!race)
		return false;
	return buffer != NULL ? ftsan_guard_enter(buffer) : seen != FTSAN_SHARED_NOT;
}

void ftsan_operation_add(struct ftsan_operation_frame *frame, uintptr_t header,
			 const void *buffer, bool output)
{
	struct ftsan_operation_array *array;
	enum ftsan_shared seen = uses(header);
	bool shared = is_shared(buffer, seen);

	if (shared)
		go_inside(header);
	frame->just_shared |= shared && seen == FTSAN_SHARED_JUST;
	if (output)
		label_output(frame, header);
	if (frame->n_arrays == FTSAN_OPERATION_ARRAYS)
		return;
	array = &frame->arrays[frame->n_arrays++];
	array->header = header;
	array->buffer = (uintptr_t)buffer;
	array->output = output;
	array->shared = shared;
	array->held = frame->sampled && buffer != NULL &&
		      ftsan_guard_hold(buffer, &array->generation);
}

/* Only arrays that threads share can race, and only while there are threads. */
static bool may_race(const struct ftsan_operation_frame *frame)
{
	if (!race || ftsan_threads_alive() < 2)
		return false;
	for (unsigned i = 0; i < frame->n_arrays; i++)
		if (frame->arrays[i].shared)
			return true;
	return false;
}

/* The first ones on an array that another thread uses, and some at each line. */
static bool is_chosen(const struct ftsan_operation_frame *frame)
{
	/* With latent hazards to be found, it is they that set the pace. */
	if (!latent && !ftsan_watch_has_time(frame->just_shared))
		return false;
	return frame->just_shared ||
	       sampled(frame->operation, frame->pc, FTSAN_SAMPLING_ALIKE, always, 0);
}

void ftsan_operation_watch(struct ftsan_operation_frame *frame)
{
	struct ftsan_thread *thread;

	if (frame->n_arrays == 0 || host == NULL)
		return;
	frame->watched = frame->sampled || (latent && is_compared(frame));
	if (!frame->watched && may_race(frame))
		frame->watched = ftsan_word_stalled_any() || is_compared(frame) ||
				 is_chosen(frame);
	thread = frame->watched ? ftsan_thread_self() : NULL;
	if (thread != NULL)
		host->watch(thread, frame);
}

/* excuse() - the operations around it find their arrays changed, and rightly so. */
static void excuse(const struct ftsan_operation_frame *frame)
{
	for (struct ftsan_operation_frame *outer = frame->outer; outer != NULL;
	     outer = outer->outer)
		for (unsigned i = 0; i < outer->n_arrays && frame->n_arrays > 0; i++)
			if (outer->arrays[i].header == frame->arrays[0].header)
				outer->changed = true;
}

/* own() - the frame of a call, if it is this thread's and has not been dropped. */
static struct ftsan_operation_frame *own(struct ftsan_thread *thread,
					 const struct ftsan_operation_call *call)
{
	struct ftsan_operation_frame *frame = call->frame;

	if (frame == NULL || thread == NULL ||
	    (uintptr_t)frame - (uintptr_t)ftsan_operations_of(thread)->frames >=
		    sizeof(ftsan_operations_of(thread)->frames))
		return NULL;
	return frame->serial == call->serial ? frame : NULL;
}

void ftsan_operation_end(const struct ftsan_operation_call *call)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	struct ftsan_operation_frame *frame = own(thread, call);

	if (FTSAN_UNLIKELY(frame == NULL))
		return;
	while (FTSAN_UNLIKELY(ftsan_operations_of(thread)->innermost != frame))
		drop(thread);
	if (FTSAN_UNLIKELY(frame->watched))
		host->unwatch(thread, frame);
	if (frame->operation->mutator && frame->outer != NULL)
		excuse(frame);
	leave(thread);
}

void ftsan_operation_thread_end(struct ftsan_thread *thread)
{
	while (ftsan_operations_of(thread)->innermost != NULL)
		drop(thread);
	atomic_store_explicit(&ftsan_operations_of(thread)->inside.n, 0,
			      memory_order_relaxed);
	ftsan_worker_end();
}

void ftsan_operation_fork_child(void)
{
	for (uint32_t i = 0, n = ftsan_threads_used(); i < n; i++) {
		struct ftsan_thread *thread = ftsan_thread_at(i);

		if (thread == NULL || thread == ftsan_thread_mine)
			continue;
		ftsan_operations_of(thread)->innermost = NULL;
		atomic_store_explicit(&ftsan_operations_of(thread)->inside.n, 0,
				      memory_order_relaxed);
	}
}

const void *ftsan_operation_with(const struct ftsan_thread *thread, uintptr_t buffer)
{
	const struct ftsan_operation_frame *frame =
		ftsan_operations_of(thread)->innermost;

	for (unsigned i = 0; frame != NULL && i < frame->n_arrays; i++)
		if (frame->arrays[i].buffer == buffer)
			return frame->operation;
	return NULL;
}

const struct ftsan_operation_array *
ftsan_operation_array_at(const struct ftsan_operation_frame *frame, uintptr_t header)
{
	for (unsigned i = 0; frame != NULL && i < frame->n_arrays; i++)
		if (frame->arrays[i].header == header)
			return &frame->arrays[i];
	return NULL;
}

void ftsan_operation_tell(const struct ftsan_operation_frame *frame,
			  const struct ftsan_operation_array *array,
			  struct ftsan_incident *incident)
{
	incident->operation = frame->name != NULL ? frame->name : frame->operation->name;
	incident->operation_owner = frame->operation->owner;
	incident->output = array != NULL && array->output;
}
