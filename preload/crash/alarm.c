#include "crash/alarm.h"

#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/base.h"

/* Written by the thread that reports. */
static int timer;
static bool armed;
static const char mark[] = "";

void ftsan_alarm_arm(uint64_t ns)
{
	struct sigevent event;
	struct itimerspec when = {
		.it_value = {.tv_sec = (time_t)(ns / 1000000000)},
		.it_interval = {.tv_sec = 1},
	};

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGSEGV;
	event.sigev_value.sival_ptr = (void *)(uintptr_t)mark;
	event._sigev_un._tid = ftsan_sys_gettid();
	if (ftsan_sys_call6(SYS_timer_create, CLOCK_MONOTONIC, (long)&event, (long)&timer,
			    0, 0, 0) != 0)
		return;
	armed = true;
	(void)ftsan_sys_call6(SYS_timer_settime, timer, 0, (long)&when, 0, 0, 0);
}

void ftsan_alarm_disarm(void)
{
	if (armed)
		(void)ftsan_sys_call6(SYS_timer_delete, timer, 0, 0, 0, 0, 0);
	armed = false;
}

bool ftsan_alarm_is(const siginfo_t *info)
{
	return armed && info->si_code == SI_TIMER &&
	       info->si_value.sival_ptr == (void *)mark;
}
