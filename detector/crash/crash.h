/*
 * The end of a process as a finding: a deadly signal that nobody handles, or a program
 * that does not come to an end.
 */
#ifndef FTSAN_CRASH_H
#define FTSAN_CRASH_H

#include <stdbool.h>

#include "crash/death.h"

enum { FTSAN_CRASH_EXPLAINED = 255 };

/* What the signal was, for ftsan_crash_explained(). Context: as ftsan_crash_report(). */
void ftsan_crash_look(const struct ftsan_death *death);

/**
 * ftsan_crash_explained() - how much do the witnesses say of why?
 * @death: the one that ftsan_crash_look() was for; its witnesses may be others by now
 *
 * Context: as ftsan_crash_report().
 * Return: the more the better; FTSAN_CRASH_EXPLAINED: nothing better can come.
 */
unsigned ftsan_crash_explained(const struct ftsan_death *death);

/**
 * ftsan_crash_report() - write the finding
 *
 * Context: async-signal-safe; one caller in a process at a time, who holds no lock of
 *          ours. Return: true when it is in the log.
 */
bool ftsan_crash_report(const struct ftsan_death *death);

#endif
