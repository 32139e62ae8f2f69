/* Is somebody tracing this process? Private to the room. */
#ifndef FTSAN_SAMPLER_TRACED_H
#define FTSAN_SAMPLER_TRACED_H

#include <stdbool.h>

/* By /proc/self/status. A debugger takes every int3 for its own. Async-signal-safe. */
bool ftsan_is_traced(void);

#endif
