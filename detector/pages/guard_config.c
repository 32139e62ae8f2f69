#include "pages/guard_config.h"

#include "pages/slot.h"

struct ftsan_guard_config ftsan_guard_config;
const struct ftsan_guard_host *ftsan_guard_host;
bool ftsan_guard_is_ready;

const struct ftsan_adapter *ftsan_adapter_of(uint32_t slot)
{
	return ftsan_guard_host->adapters[ftsan_slot_at(slot)->adapter];
}

bool ftsan_adapter_bound(uint32_t slot)
{
	const struct ftsan_adapter *adapter = ftsan_adapter_of(slot);

	return adapter->points_at == NULL ||
	       adapter->points_at(atomic_load_explicit(&ftsan_slot_at(slot)->object,
						       memory_order_relaxed),
				  ftsan_slot_buffer(slot));
}
