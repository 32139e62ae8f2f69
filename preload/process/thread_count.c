#include "process/thread_count.h"

#include <stdatomic.h>

static _Atomic unsigned threads = 1;

unsigned ftsan_thread_count(void)
{
	return atomic_load(&threads);
}

void ftsan_thread_count_set(unsigned n)
{
	atomic_store(&threads, n);
}

unsigned ftsan_thread_count_add(int n)
{
	return atomic_fetch_add(&threads, (unsigned)n) + (unsigned)n;
}
