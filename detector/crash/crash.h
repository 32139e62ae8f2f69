/*
 * The end of a process as a finding: a deadly signal that nobody handles, or a program
 * that does not come to an end.
 */
#ifndef FTSAN_CRASH_H
#define FTSAN_CRASH_H

#include <stdbool.h>

#include "crash/death.h"

/**
 * ftsan_crash_report() - write the finding
 *
 * Context: async-signal-safe; one caller in a process at a time, who holds no lock of
 *          ours. Return: true when it is in the log.
 */
bool ftsan_crash_report(const struct ftsan_death *death);

#endif
