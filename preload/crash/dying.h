/*
 * The last moments: a deadly signal that nobody handles becomes a finding, and then the
 * process dies of it as it would have without us: same status, same core.
 */
#ifndef FTSAN_PRELOAD_DYING_H
#define FTSAN_PRELOAD_DYING_H

#include <signal.h>
#include <stdbool.h>

/* From now on it is told. Context: activation. */
void ftsan_dying_start(void);

#endif
