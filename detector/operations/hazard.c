#include "operations/hazard.h"

#include <stddef.h>

#include "adapters/adapter_numpy.h"
#include "base/safe_read.h"
#include "base/counters.h"
#include "operations/operation.h"
#include "findings/report.h"
#include "rules/rules.h"
#include "pages/sites.h"
#include "pages/slot.h"
#include "threads/thread.h"

/* Stacks of the same instruction that are captured: its fingerprints are few. */
enum { REPORTS_PER_SITE = 16 };

static const struct ftsan_operation_array *find(const struct ftsan_operation_frame *frame,
						uintptr_t buffer)
{
	for (unsigned i = 0; i < frame->n_arrays; i++)
		if (frame->arrays[i].buffer == buffer)
			return &frame->arrays[i];
	return NULL;
}

static bool points_at(uintptr_t header, uintptr_t buffer)
{
	uintptr_t dims;

	return ftsan_safe_ptr(header + ftsan_numpy_dims_offset(), &dims) &&
	       dims == buffer;
}

static void report(struct ftsan_thread *thread, uint32_t slot,
		   const struct ftsan_operation_frame *frame,
		   const struct ftsan_operation_array *array)
{
	const struct ftsan_window *window = &thread->window;
	struct ftsan_incident incident = {
		.kind = FTSAN_KIND_HAZARD,
		.confidence = FTSAN_LATENT,
		.slot = slot,
		.address = window->access.address,
		.operation = frame,
		.output = array->output,
		.has_old = window->has_values,
		.has_new = window->has_new,
		.old_value = (int64_t)window->old_value,
		.new_value = (int64_t)window->new_value,
		.n_parties = 1,
	};

	ftsan_thread_read_name(thread);
	incident.parties[0] = (struct ftsan_party){
		.role = FTSAN_ROLE_WRITE,
		.tid = window->tid,
		.name = thread->name,
		.access = &window->access,
		.stack = &thread->stack,
	};
	(void)ftsan_report(&incident);
}

void ftsan_hazard_look(struct ftsan_thread *thread, uint32_t slot, const void *ucontext)
{
	const struct ftsan_operation_frame *frame = thread->operation;
	uintptr_t buffer = ftsan_slot_buffer(slot);
	const struct ftsan_operation_array *array =
		frame == NULL ? NULL : find(frame, buffer);
	struct ftsan_hazard_question question = {
		.is_argument = array != NULL,
		.mutator = frame != NULL && frame->operation->mutator,
	};
	struct ftsan_site *site;

	if (array != NULL) {
		question.fresh = ftsan_operation_is_fresh(thread, array->header);
		question.points_here = points_at(array->header, buffer);
	}
	if (!ftsan_rule_hazard(&question))
		return;
	ftsan_operation_harm(frame->operation);
	site = ftsan_site_of(thread->window.ip);
	if (site != NULL &&
	    atomic_fetch_add_explicit(&site->hazards, 1, memory_order_relaxed) >=
		    REPORTS_PER_SITE)
		return;
	ftsan_stack_capture(&thread->stack, ucontext);
	report(thread, slot, frame, array);
}
