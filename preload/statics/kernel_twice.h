/* Functions that return more than once, and have the kernel write to the caller's memory.
 * Private to the room. */
#ifndef FTSAN_PRELOAD_STATICS_KERNEL_TWICE_H
#define FTSAN_PRELOAD_STATICS_KERNEL_TWICE_H

#include <stdint.h>

#include "base/base.h"

/* For import slots, which call them with the originals' arguments; and those. */
FTSAN_HIDDEN void ftsan_kernel_sigsetjmp(void);
FTSAN_HIDDEN void ftsan_kernel_getcontext(void);
FTSAN_HIDDEN void ftsan_kernel_swapcontext(void);
extern FTSAN_HIDDEN uintptr_t ftsan_kernel_sigsetjmp_real, ftsan_kernel_getcontext_real,
	ftsan_kernel_swapcontext_real;

/* What those do first. Context: normal context. */
FTSAN_HIDDEN void ftsan_kernel_opens_jump(const void *jump);
FTSAN_HIDDEN void ftsan_kernel_opens_context(const void *context);

#endif
