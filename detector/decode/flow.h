/* Where an instruction leads: for whoever follows what a function calls. */
#ifndef FTSAN_DECODE_FLOW_H
#define FTSAN_DECODE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct ftsan_flow - one instruction
 * @length: bytes of it
 * @goes_on: the next one may follow, be it after a call has returned
 * @branches: it may go, or call, elsewhere, and these say where to
 * @target: the address; 0: not known, a register's or a table's
 * @slot:   where the address is read from, as in the linkage table; 0: it is in the
 *          instruction
 */
struct ftsan_flow {
	uint8_t length;
	bool goes_on, branches;
	uintptr_t target, slot;
};

/*
 * @at: where @code, of which @room bytes can be read, is run. False: no instruction.
 * Async-signal-safe.
 */
bool ftsan_flow_decode(struct ftsan_flow *out, uintptr_t at, const unsigned char *code,
		       size_t room);

#endif
