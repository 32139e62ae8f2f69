/* May a process be attached to? All refusals that need no look at its memory. */
#ifndef FTSAN_TOOLS_TARGET_REFUSE_H
#define FTSAN_TOOLS_TARGET_REFUSE_H

#include "attach/target_proc.h"

/**
 * struct ftsan_refusal - why a process can't be attached to
 * @error:   of opening its memory
 * @own_uid, @uid: who asks, whose it is
 * @scope:   /proc/sys/kernel/yama/ptrace_scope, -1: there is none
 */
struct ftsan_refusal {
	int error;
	uid_t own_uid, uid;
	int scope;
};

/* What to do about it: a sentence. Pure; static storage. */
const char *ftsan_refusal_advice(const struct ftsan_refusal *refusal);

/* --- for target.c --- */

/* Prints the reason, and returns @error, which is negative. */
int ftsan_target_complain(const struct ftsan_target *target, int error, const char *what);

/* The same for a memory that could not be opened, with what to do about it. */
int ftsan_target_refuse(const struct ftsan_target *target, int error);

/* Sets @uid and @gid. Return: 0; -errno, and the reason was printed. */
int ftsan_target_check_process(struct ftsan_target *target);

#endif
