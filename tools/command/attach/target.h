/*
 * A running process as `ftsan attach` finds it: what it is, what is loaded where, and
 * whether it can be attached to. All of it from /proc; nothing is changed.
 */
#ifndef FTSAN_TOOLS_TARGET_H
#define FTSAN_TOOLS_TARGET_H

#include "attach/target_objects.h"
#include "attach/target_proc.h"
#include "attach/target_refuse.h"

/* Return: 0; -errno, and the reason was printed, with what to do about it. */
int ftsan_target_open(struct ftsan_target *target, pid_t pid);
void ftsan_target_close(struct ftsan_target *target);

#endif
