/* One thread: stopped, looked at, and sent off or let go. */
#ifndef FTSAN_TOOLS_INJECT_THREAD_H
#define FTSAN_TOOLS_INJECT_THREAD_H

#include <sys/types.h>

#include "attach/inject_registers.h"
#include "attach/target.h"

/* struct ftsan_inject_plan - what is the same for each thread that is tried */
struct ftsan_inject_plan {
	const struct ftsan_target *target;
	uint64_t cave;
	struct ftsan_block block;
};

/*
 * Return: 0: it is on its way; -EAGAIN: not here; -EBUSY: it does not stop, and stays
 * seized until this process ends; others: of ptrace.
 */
int ftsan_inject_thread(struct ftsan_inject_plan *plan, pid_t tid);

#endif
