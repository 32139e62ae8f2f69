/* A process that nobody reads the log of has to say itself that it watched nothing. */
#ifndef FTSAN_BLIND_H
#define FTSAN_BLIND_H

#include <stdbool.h>

#include "runtime/host.h"
#include "stacks/stacks.h"

/**
 * ftsan_blind_tell() - a line on stderr if this process has watched nothing
 *
 * For the first process of a run that was started with LD_PRELOAD alone; `ftsan run`
 * gives its verdict on all processes, from their logs. Of others than this one nothing is
 * known.
 *
 * Context: the end of the process, after the threads' counts were added up;
 * async-signal-safe.
 */
void ftsan_blind_tell(const struct ftsan_host *host, const struct ftsan_pyabi *abi);

#endif
