#include "base/ticks.h"

#include "base/cpu.h"
#include "base/sys.h"

/* Set once at start. */
static uint64_t first_ticks, first_ns;

void ftsan_ticks_begin(void)
{
	if (first_ticks != 0)
		return;
	first_ns = ftsan_sys_now_ns();
	first_ticks = ftsan_cpu_ticks();
}

uint64_t ftsan_ticks_ago_ns(uint64_t ticks)
{
	uint64_t now = ftsan_cpu_ticks(), ns = ftsan_sys_now_ns() - first_ns;
	double rate = now > first_ticks ? (double)ns / (double)(now - first_ticks) : 0;

	return ticks < now ? (uint64_t)((double)(now - ticks) * rate) : 0;
}
