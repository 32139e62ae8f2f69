#include "threads/workers.h"

#include "base/base.h"

enum { MANY = 1u << 16 };

_Atomic uint32_t ftsan_workers;
uint32_t ftsan_workers_idle;
FTSAN_TLS bool ftsan_worker;

void ftsan_workers_init(bool one_suffices)
{
	ftsan_workers_idle = one_suffices ? 0 : 1;
	ftsan_workers_alone();
}

void ftsan_worker_first(void)
{
	ftsan_worker = true;
	ftsan_count(workers);
	atomic_fetch_add_explicit(&ftsan_workers, 1, memory_order_relaxed);
}

void ftsan_workers_alone(void)
{
	ftsan_worker = true;
	atomic_store_explicit(&ftsan_workers, 1, memory_order_relaxed);
}

void ftsan_workers_many(void)
{
	/* Those that a former attach has counted end without having been counted again.
	 */
	ftsan_count(workers);
	atomic_store_explicit(&ftsan_workers, MANY, memory_order_relaxed);
}

void ftsan_worker_end(void)
{
	if (!ftsan_worker)
		return;
	ftsan_worker = false;
	atomic_fetch_sub_explicit(&ftsan_workers, 1, memory_order_relaxed);
}
