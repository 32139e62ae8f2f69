/* Whether a hit of a watchpoint was an access at all: see rules/proof.h. */
#ifndef FTSAN_WATCH_PROOF_H
#define FTSAN_WATCH_PROOF_H

#include <stdbool.h>

#include "words/watch.h"

/**
 * ftsan_watch_proven() - did the instruction that hit @point access the word?
 * @point:    with the value that the word held before; gets what the access was
 * @ucontext: registers after the access
 *
 * False, and counted, for a masked store that leaves the word alone, a vector that reads
 * past what it is to read, and an instruction that can't be told: then for a load, and
 * for a store of the value that was there. Also false for an atomic: whoever locks the
 * bus for the word synchronises it.
 *
 * Context: SIGTRAP handler on the thread that made the access; async-signal-safe.
 */
bool ftsan_watch_proven(struct ftsan_watchpoint *point, const void *ucontext);

#endif
