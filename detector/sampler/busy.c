#include "sampler/busy.h"

#include <sys/syscall.h>
#include <sys/sysinfo.h>

#include "base/base.h"

enum { MASK_WORDS = 16, LOAD_SHIFT = 16 }; /* SI_LOAD_SHIFT of <linux/kernel.h> */

static unsigned processors = 1;

void ftsan_busy_init(void)
{
	uint64_t mask[MASK_WORDS] = {0};
	long bytes = ftsan_sys_call6(SYS_sched_getaffinity, 0, sizeof(mask), (long)mask,
				     0, 0, 0);

	processors = 0;
	for (long i = 0; i < bytes / (long)sizeof(mask[0]); i++)
		for (uint64_t bits = mask[i]; bits != 0; bits &= bits - 1)
			processors++;
	if (processors == 0)
		processors = UINT16_MAX;
}

uint64_t ftsan_busy_begin(void)
{
	return ftsan_sys_cpu_ns();
}

static bool is_busy(void)
{
	struct sysinfo info;

	return ftsan_sys_call6(SYS_sysinfo, (long)&info, 0, 0, 0, 0, 0) == 0 &&
	       info.loads[0] >> LOAD_SHIFT > processors;
}

bool ftsan_busy_starved(uint64_t begun, uint64_t length_ns)
{
	return is_busy() && ftsan_busy_begin() - begun < length_ns;
}
