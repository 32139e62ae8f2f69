#include "base/counters.h"

struct ftsan_counters ftsan_counters;

void ftsan_counters_reset(void)
{
#define FTSAN_COUNTER(name, meaning)                                                     \
	atomic_store_explicit(&ftsan_counters.name, 0, memory_order_relaxed);
#include "base/counters.def"
#undef FTSAN_COUNTER
}
