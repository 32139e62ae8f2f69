#include "process/signal_call.h"

#include <string.h>
#include <sys/syscall.h>

#include "base/base.h"

/* What it carries, from the top: 24 bits for the caller, 24 of the round, the number. */
enum { MARK_SHIFT = 40, NUMBER_BITS = 16, ROUND_MASK = 0xffffff };

static uint64_t mark_of(enum ftsan_caller caller)
{
	return UINT64_C(0x667472) + caller;
}

int ftsan_signal_call(enum ftsan_caller caller, uint32_t round, uint32_t number, int tid)
{
	siginfo_t info;
	uint64_t value = mark_of(caller) << MARK_SHIFT |
			 (uint64_t)(round & ROUND_MASK) << NUMBER_BITS | number;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGTRAP;
	info.si_code = SI_QUEUE;
	info.si_pid = ftsan_sys_getpid();
	info.si_value.sival_ptr = (void *)(uintptr_t)value;
	return (int)ftsan_sys_call6(SYS_rt_tgsigqueueinfo, ftsan_sys_getpid(), tid,
				    SIGTRAP, (long)&info, 0, 0);
}

bool ftsan_signal_is_call(enum ftsan_caller caller, uint32_t round, int sig,
			  const siginfo_t *info, uint32_t *number)
{
	uint64_t value = (uint64_t)(uintptr_t)info->si_value.sival_ptr;

	if (sig != SIGTRAP || info->si_code != SI_QUEUE ||
	    value >> MARK_SHIFT != mark_of(caller) || info->si_pid != ftsan_sys_getpid())
		return false;
	*number = value & ((1u << NUMBER_BITS) - 1);
	if ((value >> NUMBER_BITS & ROUND_MASK) != (round & ROUND_MASK))
		*number = UINT32_MAX;
	return true;
}
