/*
 * The room of what is remembered of code, so that it is not slowed down for ever: how
 * often an instruction was held up, which calls of a call site are watched, what
 * something has cost, and by which clock that counts.
 *
 * May use: base, rules.
 * Held: nothing; its tables are lock-free, and may be asked in a handler.
 */
#ifndef FTSAN_BUDGET_ROOM_H
#define FTSAN_BUDGET_ROOM_H

#include "budget/effort.h"
#include "budget/sampling.h"
#include "budget/share.h"
#include "budget/sites.h"

#endif
