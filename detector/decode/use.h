/* What becomes of a value that was loaded: the few instructions behind the load. */
#ifndef FTSAN_DECODE_USE_H
#define FTSAN_DECODE_USE_H

#include <stddef.h>
#include <stdint.h>

/**
 * ftsan_load_mask() - which bits of the value are used
 * @code: begins with the load; @room: bytes of it
 * @ucontext: registers at the load, or right behind it
 *
 * Of a load whose next instruction is an `and` with a register or a constant; else all.
 *
 * Pure; async-signal-safe.
 */
uint64_t ftsan_load_mask(const unsigned char *code, size_t room, const void *ucontext);

#endif
