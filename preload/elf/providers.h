/*
 * Libraries that help, and that the process must not notice: libunwind and Zydis are
 * opened with RTLD_LOCAL, so that libunwind's _Unwind_* never come before libgcc_s's.
 */
#ifndef FTSAN_PRELOAD_PROVIDERS_H
#define FTSAN_PRELOAD_PROVIDERS_H

#include "runtime/runtime.h"

/* Fills in the unwinder and Zydis parts of @host. Context: activation; the SIGSEGV
 * handler is installed (the first unwind, which is slow, is done here). */
void ftsan_providers_open(struct ftsan_host *host);

#endif
