#include "operation.h"

#include <string.h>

#include "base/annot.h"
#include "counters.h"
#include "guard.h"
#include "runtime.h"
#include "sampling.h"
#include "thread.h"

/* Set once at start. */
static bool latent;
static bool race;
static uint32_t always;

void ftsan_operation_init(const struct ftsan_options *options, bool free_threaded)
{
	latent = ftsan_options_latent(options);
	race = ftsan_options_race(options) && free_threaded;
	always = options->sample;
}

bool ftsan_latent(void)
{
	return latent;
}

/* The same operation at the same line of Python, called from the same C function. */
static bool sampled(const struct ftsan_operation *operation, uintptr_t pc)
{
	struct ftsan_alloc_site site;

	ftsan_runtime_alloc_site(pc, &site);
	return ftsan_sampling_take((uintptr_t)operation ^ site.code * 31 ^
					   site.instr * 131 ^ pc * 1031,
				   always);
}

/*
 * outer_of() - the innermost frame that is still there. The stack grows down, so one
 * below the new frame was left by a longjmp.
 */
static struct ftsan_operation_frame *outer_of(const struct ftsan_thread *thread,
					      const struct ftsan_operation_frame *frame)
{
	struct ftsan_operation_frame *outer = thread->operation;

	while (outer != NULL && (uintptr_t)outer <= (uintptr_t)frame)
		outer = outer->outer;
	return outer;
}

static void begin_outermost(struct ftsan_thread *thread)
{
	thread->births.n = 0;
	thread->births.incomplete = false;
}

void ftsan_operation_begin(struct ftsan_operation_frame *frame,
			   const struct ftsan_operation *operation, uintptr_t pc)
{
	struct ftsan_thread *thread = ftsan_thread_self();

	frame->operation = operation;
	frame->name = NULL;
	frame->outer = NULL;
	frame->n_arrays = 0;
	frame->sampled = false;
	if (FTSAN_UNLIKELY(thread == NULL))
		return;
	frame->outer = outer_of(thread, frame);
	if (frame->outer == NULL)
		begin_outermost(thread);
	thread->operation = frame;
	if (!latent)
		return;
	/* What a mutator does to its argument is no hazard, so there is nothing to see. */
	frame->sampled = !operation->mutator && sampled(operation, pc);
	if (frame->sampled)
		ftsan_count(operations_sampled);
}

void ftsan_operation_add(struct ftsan_operation_frame *frame, uintptr_t header,
			 const void *buffer, bool output)
{
	struct ftsan_operation_array *array;

	if (race && buffer != NULL)
		ftsan_guard_enter(buffer);
	if (frame->n_arrays == FTSAN_OPERATION_ARRAYS)
		return;
	array = &frame->arrays[frame->n_arrays++];
	array->header = header;
	array->buffer = (uintptr_t)buffer;
	array->output = output;
	array->held = frame->sampled && buffer != NULL &&
		      ftsan_guard_hold(buffer, &array->generation);
}

void ftsan_operation_end(struct ftsan_operation_frame *frame)
{
	struct ftsan_thread *thread = ftsan_thread_self();

	if (frame->sampled)
		for (unsigned i = 0; i < frame->n_arrays; i++)
			if (frame->arrays[i].held)
				ftsan_guard_unhold((const void *)frame->arrays[i].buffer,
						   frame->arrays[i].generation);
	if (FTSAN_LIKELY(thread != NULL))
		thread->operation = frame->outer;
}

void ftsan_operation_born(uintptr_t header)
{
	struct ftsan_thread *thread;
	struct ftsan_births *births;

	if (!latent || (thread = ftsan_thread_self()) == NULL ||
	    thread->operation == NULL)
		return;
	births = &thread->births;
	if (births->n == FTSAN_BIRTHS) {
		births->incomplete = true;
		return;
	}
	births->headers[births->n++] = header;
}

void ftsan_operation_born_unnoticed(void)
{
	struct ftsan_thread *thread = ftsan_thread_self();

	if (thread != NULL)
		thread->births.incomplete = true;
}

bool ftsan_operation_is_fresh(const struct ftsan_thread *thread, uintptr_t header)
{
	const struct ftsan_births *births = &thread->births;

	if (births->incomplete)
		return true;
	for (uint32_t i = 0; i < births->n; i++)
		if (births->headers[i] == header)
			return true;
	return false;
}
