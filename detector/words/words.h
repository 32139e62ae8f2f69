/*
 * The room of single words that no page can guard: watchpoints of the processor, stores
 * that are held up at one, and, where there are no watchpoints, values that are compared.
 *
 * May use: base, rules, budget, decode, threads, stacks, findings.
 * Held: a stall, from the hit of a store until its thread goes on. Who stalls never waits
 * for another's stall.
 */
#ifndef FTSAN_WORDS_ROOM_H
#define FTSAN_WORDS_ROOM_H

#include "words/everyone.h"
#include "words/recheck.h"
#include "words/stalled.h"
#include "words/watch.h"
#include "words/watch_perf.h"
#include "words/watch_proof.h"
#include "words/watch_reason.h"
#include "words/watchpoint.h"
#include "words/word_race.h"

#endif
