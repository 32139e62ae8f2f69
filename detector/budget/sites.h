/*
 * What is known of the code that stores to published buffers, by instruction address:
 * how often it was held up, and whether a race was proven there. Fixed size, lock-free.
 *
 * Context of everything: any thread, async-signal-safe.
 */
#ifndef FTSAN_SITES_H
#define FTSAN_SITES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ftsan_site {
	_Atomic uintptr_t ip;
	_Atomic uint32_t windows;
	_Atomic uint32_t hazards;
	_Atomic bool proven;
};

/* The site's entry; NULL when the table is full (the caller opens no window then). */
struct ftsan_site *ftsan_site_of(uintptr_t ip);

/* A race was proven at @ip: it is held up no more. */
void ftsan_site_prove(uintptr_t ip);

void ftsan_sites_reset(void);

#endif
