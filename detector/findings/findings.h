/*
 * The room of what is told: from an incident that an engine recorded to a line of the
 * log.
 *
 * May use: base, rules, stacks, threads, view.
 * Held: one report is made at a time, and whoever makes one has all signals blocked but
 * SIGSEGV and SIGBUS. Nobody who waits for that holds anything of ours.
 */
#ifndef FTSAN_FINDINGS_ROOM_H
#define FTSAN_FINDINGS_ROOM_H

#include "findings/log.h"
#include "findings/log_line.h"
#include "findings/object.h"
#include "findings/report.h"
#include "findings/seen.h"

#endif
