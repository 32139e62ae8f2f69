/* The store that canary.c has trapped. In assembly, so that its bounds are known. */
#ifndef FTSAN_CANARY_STORE_H
#define FTSAN_CANARY_STORE_H

#include <stdint.h>

/* *@to = @value, and nothing else. Context: as the canary. */
void ftsan_canary_store(volatile uint64_t *to, uint64_t value)
	__attribute__((visibility("hidden")));

#endif
