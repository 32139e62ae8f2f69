/*
 * Bytes of text, changed while other threads run it. Private to the room.
 *
 * One byte at a time: int3 is one byte long for that purpose (Intel SDM volume 3, 8.1.3).
 */
#ifndef FTSAN_SAMPLER_PATCH_H
#define FTSAN_SAMPLER_PATCH_H

#include <stdbool.h>
#include <stdint.h>

enum { FTSAN_INT3 = 0xcc };

/*
 * Makes [begin, end) changeable: writable, or (SELinux, MDWE) by way of /proc/self/mem.
 * Context: normal context. Return: false: the kernel refuses both.
 */
bool ftsan_patch_open(uintptr_t begin, uintptr_t end);

/* Changes one byte of what was opened. Async-signal-safe. */
void ftsan_patch_byte(uintptr_t at, uint8_t value);

#endif
