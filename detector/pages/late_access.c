#include "pages/late_access.h"

#include "base/base.h"
#include "findings/findings.h"
#include "pages/adapter.h"
#include "pages/free_window.h"
#include "pages/pages_thread.h"
#include "pages/quarantine.h"
#include "pages/slot.h"
#include "pages/slot_tell.h"

static const char *late_headline(uint32_t slot, const struct ftsan_access *access)
{
	if (access->role == FTSAN_ROLE_FREE)
		return "double free";
	return ftsan_slot_at(slot)->moved ? "use after realloc" : "use after free";
}

static void report_late(struct ftsan_thread *thread, uint32_t slot,
			const struct ftsan_access *access)
{
	const struct ftsan_quarantine_entry *entry = ftsan_quarantine_find(slot);
	struct ftsan_object object;
	struct ftsan_incident incident = {
		.kind = FTSAN_KIND_USE_AFTER_FREE,
		.headline = late_headline(slot, access),
		.confidence = FTSAN_CONFIRMED,
		.address = access->address,
		.n_parties = 1,
	};

	ftsan_slot_tell(slot, &object, &incident);
	incident.parties[0] = ftsan_party_of(thread, access->role, access);
	if (entry != NULL)
		incident.parties[incident.n_parties++] = (struct ftsan_party){
			.role = FTSAN_ROLE_FREE,
			.tid = entry->tid,
			.name = entry->name,
			.stack = entry->stack,
		};
	(void)ftsan_report(&incident);
}

void ftsan_late_access(struct ftsan_thread *thread, uint32_t slot, const void *ucontext)
{
	uintptr_t offset =
		ftsan_pages_of(thread)->insn.access.address - ftsan_slot_buffer(slot);

	ftsan_count(late_accesses);
	/* Outside the buffer it is no use of it, but something that has gone astray. */
	if (offset >= ftsan_slot_at(slot)->size ||
	    ftsan_slot_at(slot)->adapter == FTSAN_ADAPTER_CANARY)
		return;
	ftsan_stack_capture(&thread->stack, ucontext);
	report_late(thread, slot, &ftsan_pages_of(thread)->insn.access);
	ftsan_free_window_end();
}

void ftsan_late_free(uint32_t slot)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	struct ftsan_access access = ftsan_slot_free_access(slot);

	if (thread == NULL)
		return;
	(void)ftsan_slot_pin(slot);
	ftsan_stack_capture_here(&thread->stack);
	report_late(thread, slot, &access);
	ftsan_slot_unpin(slot);
}
