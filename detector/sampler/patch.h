/*
 * Bytes of text, changed while other threads run it. Private to the room.
 *
 * One byte at a time, which FTSAN_CPU_BREAKPOINT is made for.
 */
#ifndef FTSAN_SAMPLER_PATCH_H
#define FTSAN_SAMPLER_PATCH_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Makes [begin, end) changeable: writable, or (SELinux, MDWE) by way of /proc/self/mem.
 * Context: normal context. Return: false: the kernel refuses both.
 */
bool ftsan_patch_open(uintptr_t begin, uintptr_t end);

/* Changes one byte of what was opened. Async-signal-safe. */
void ftsan_patch_byte(uintptr_t at, uint8_t value);

#endif
