/*
 * Proof of life: a store of our own that has to trap. A report of nothing found means
 * something only when the traps are known to work in this process.
 */
#ifndef FTSAN_CANARY_H
#define FTSAN_CANARY_H

#include <stdbool.h>
#include <stdint.h>

#include "pages/pages.h"

/**
 * ftsan_canary_run() - seal a buffer of our own and store to it
 *
 * Context: start-up, with the handlers installed and no other thread.
 * Return:  true if the store trapped once and arrived.
 */
bool ftsan_canary_run(void);

/* The canary's store is the one instruction of ftsan that may be trapped: where it
 * begins, and where it ends. Pure. */
uintptr_t ftsan_canary_text(uintptr_t *end);

extern const struct ftsan_adapter ftsan_adapter_canary;

#endif
