#include "pages/slot_tell.h"

#include "pages/adapter.h"
#include "pages/guard_config.h"
#include "pages/slot.h"

void ftsan_slot_tell(uint32_t slot, struct ftsan_object *object,
		     struct ftsan_incident *incident)
{
	const struct ftsan_adapter *adapter = ftsan_adapter_of(slot);
	const struct ftsan_slot *about = ftsan_slot_at(slot);

	ftsan_object_clear(object);
	if (adapter->describe != NULL)
		adapter->describe(slot, incident->address, object);
	incident->object = object;
	incident->size = about->size;
	/* Another header has it now than at first, so the allocation says little. */
	if (atomic_load_explicit(&about->reused, memory_order_relaxed))
		return;
	incident->alloc = &about->alloc;
	incident->alloc_tid = about->alloc_tid;
}

struct ftsan_access ftsan_slot_free_access(uint32_t slot)
{
	return (struct ftsan_access){.address = ftsan_slot_buffer(slot),
				     .size = ftsan_slot_at(slot)->size,
				     .role = FTSAN_ROLE_FREE,
				     .exact = true};
}
