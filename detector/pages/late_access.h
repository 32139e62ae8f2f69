/*
 * Late accesses: what a thread does to a buffer that was freed, while the quarantine
 * still keeps it apart.
 */
#ifndef FTSAN_LATE_ACCESS_H
#define FTSAN_LATE_ACCESS_H

#include <stdint.h>

struct ftsan_thread;

/* An access to a quarantined buffer: reported. Signal handler; slot pinned. */
void ftsan_late_access(struct ftsan_thread *thread, uint32_t slot, const void *ucontext);
/* The program frees a buffer that is free already. Normal context. */
void ftsan_late_free(uint32_t slot);

#endif
