/*
 * The processor: its clock, its pause, and what an ELF file for it says.
 *
 * Context: any, async-signal-safe, all of it.
 */
#ifndef FTSAN_BASE_CPU_H
#define FTSAN_BASE_CPU_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A clock that costs no system call and no lock, of some gigahertz or megahertz; the
 * same for all processors as far as their kernel can make it so.
 */
static inline uint64_t ftsan_cpu_ticks(void);

/* For a loop that waits some hundred nanoseconds for another processor. */
static inline void ftsan_cpu_relax(void);

/* Could it be an address, of a process or of the kernel? */
static inline bool ftsan_cpu_is_canonical(uintptr_t address);

/* FTSAN_CPU_USER_END: no address of a program is there or above. */

#if defined(__x86_64__)
#include "base/cpu_x86_64.h"
#else
#error "docs/internals.md, Another architecture, says what has to be there"
#endif

#endif
