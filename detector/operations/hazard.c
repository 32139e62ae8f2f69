#include "operations/hazard.h"

#include <stddef.h>

#include "base/base.h"
#include "budget/budget.h"
#include "findings/findings.h"
#include "operations/fresh.h"
#include "operations/operation.h"
#include "pages/pages.h"
#include "rules/rules.h"
#include "threads/threads.h"

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

static void report(struct ftsan_thread *thread, const struct ftsan_trapped_store *store,
		   const struct ftsan_operation_frame *frame,
		   const struct ftsan_operation_array *array)
{
	struct ftsan_object object;
	struct ftsan_incident incident = {
		.kind = FTSAN_KIND_HAZARD,
		.confidence = FTSAN_LATENT,
		.address = store->access.address,
		.has_old = store->has_values,
		.has_new = store->has_new,
		.old_value = (int64_t)store->old_value,
		.new_value = (int64_t)store->new_value,
		.n_parties = 1,
	};

	ftsan_slot_tell(store->slot, &object, &incident);
	ftsan_operation_tell(frame, array, &incident);
	incident.parties[0] = ftsan_party_of(thread, FTSAN_ROLE_WRITE, &store->access);
	(void)ftsan_report(&incident);
}

void ftsan_hazard_look(struct ftsan_thread *thread,
		       const struct ftsan_trapped_store *store, const void *ucontext)
{
	const struct ftsan_operation_frame *frame =
		ftsan_operations_of(thread)->innermost;
	const struct ftsan_adapter *adapter = ftsan_adapter_of(store->slot);
	uintptr_t buffer = ftsan_slot_buffer(store->slot);
	const struct ftsan_operation_array *array =
		frame == NULL ? NULL : find(frame, buffer);
	struct ftsan_hazard_question question = {
		.is_argument = array != NULL,
		.mutator = frame != NULL && frame->operation->mutator,
	};
	struct ftsan_site *site;

	if (array != NULL) {
		question.fresh = ftsan_operation_is_fresh(thread, array->header);
		question.points_here = adapter->points_at == NULL ||
				       adapter->points_at(array->header, buffer);
	}
	if (!ftsan_rule_hazard(&question))
		return;
	ftsan_operation_harm(frame->operation);
	site = ftsan_site_of(store->ip);
	if (site != NULL &&
	    atomic_fetch_add_explicit(&site->hazards, 1, memory_order_relaxed) >=
		    REPORTS_PER_SITE)
		return;
	ftsan_stack_capture(&thread->stack, ucontext);
	report(thread, store, frame, array);
}
