/*
 * The instruction before the one that a thread has come to: who hit a watchpoint. The
 * processor tells of a watchpoint when the access is done.
 *
 * x86-64 code can't be decoded backwards with certainty. So every start within an
 * instruction's length is tried, and those count whose instruction ends where the thread
 * is and whose operand, by the registers as they are now, covers the word. The bytes of
 * another instruction's tail may look like one more; the answer is the one that proves
 * least then (rules/proof.h).
 */
#ifndef FTSAN_DECODE_BEFORE_H
#define FTSAN_DECODE_BEFORE_H

#include <stdint.h>

#include "rules/rules.h"

/**
 * ftsan_decode_before() - the instruction that hit a watchpoint
 * @out:      filled in any case; FTSAN_FORM_UNKNOWN without a decoder, and after a call
 * or a jump by way of the word: the thread is somewhere else then
 * @ucontext: registers after it
 * @address, @size: the watched word
 *
 * Context: async-signal-safe; about 5 us. Code is read by ftsan_text_read().
 */
void ftsan_decode_before(struct ftsan_watch_insn *out, const void *ucontext,
			 uintptr_t address, uint32_t size);

/**
 * ftsan_decode_at() - the same where it is known where the instruction begins
 * @code: its bytes, FTSAN_INSN_MAX of them readable
 *
 * The address of its operand is not looked at; what follows it is not, either, so a plain
 * vector load is never FTSAN_FORM_SEARCH. FTSAN_FORM_UNKNOWN: no memory operand.
 */
void ftsan_decode_at(struct ftsan_watch_insn *out, const unsigned char *code);

#endif
