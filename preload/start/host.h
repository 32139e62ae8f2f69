/* What the detector is told of this process (runtime/runtime.h, struct ftsan_host). */
#ifndef FTSAN_PRELOAD_HOST_H
#define FTSAN_PRELOAD_HOST_H

#include "runtime/runtime.h"

/* The one there is; whoever starts fills in what only he knows. */
struct ftsan_host *ftsan_start_host(void);

/* @library: handle of the object that defines _PyRuntime, @py_runtime its address. */
void ftsan_start_describe_python(void *library, const void *py_runtime);

/* Our own wrappers, and where we are. */
void ftsan_start_describe_self(void);

#endif
