/*
 * The room of instructions: what one does to memory, how its store can be performed
 * somewhere else, which access the one before an address made. Zydis decodes; it is
 * opened by the preloaded object, because Debian has no position-independent archive of
 * it.
 *
 * May use: base, rules.
 * Held: nothing; instructions are decoded in handlers.
 */
#ifndef FTSAN_DECODE_ROOM_H
#define FTSAN_DECODE_ROOM_H

#include "decode/before.h"
#include "decode/insn.h"
#include "decode/shape.h"

#endif
