#include "pages/guard_count.h"

#include "base/base.h"
#include "pages/guard_config.h"
#include "pages/seal.h"
#include "pages/slot.h"

enum { OLD_US = 10000 }; /* "old" in the coverage record */

void ftsan_guard_count_end(const struct ftsan_slot *slot)
{
	if ((uint64_t)ftsan_ticks_since(slot->birth_tick) * ftsan_guard_config.tick_us <
		    OLD_US ||
	    slot->adapter == FTSAN_ADAPTER_CANARY ||
	    !ftsan_guard_config.aged[slot->adapter])
		return;
	ftsan_count(old_buffers);
	if (slot->published)
		ftsan_count(old_published);
	else if (atomic_load_explicit(&slot->parked, memory_order_relaxed) !=
		 FTSAN_PARKED_NOT)
		ftsan_count(old_left_out);
}
