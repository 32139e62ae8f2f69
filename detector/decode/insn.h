/*
 * What an instruction does to one byte of memory, and how its store can be performed
 * somewhere else. Decoded by Zydis.
 */
#ifndef FTSAN_INSN_H
#define FTSAN_INSN_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/rules.h"

/* How a trapped store can be performed without opening the page to other threads. */
enum ftsan_store_plan {
	FTSAN_PLAN_NONE,     /* only by opening the page for one step */
	FTSAN_PLAN_DIRECT,   /* @value holds the bytes to store */
	FTSAN_PLAN_REDIRECT, /* move register @base to a copy, step, write back */
};

enum { FTSAN_OPERAND_MAX = 64, FTSAN_INSN_MAX = 15 };

/**
 * struct ftsan_insn - a decoded instruction
 * @access:  the access to the faulting byte; the operand's whole range when decoded
 * @rmw:     a store whose instruction reads the operand first
 * @repeated: it has a repeat prefix: many stores in one instruction
 * @length:  bytes of the instruction, 0 when it could not be decoded
 * @plan:    for stores
 * @base:    FTSAN_PLAN_REDIRECT: index into gregs[] of the base register
 * @value:   FTSAN_PLAN_DIRECT: @access.size bytes
 */
struct ftsan_insn {
	struct ftsan_access access;
	bool rmw;
	bool repeated;
	uint8_t length;
	enum ftsan_store_plan plan;
	int base;
	unsigned char value[FTSAN_OPERAND_MAX];
};

/* Context: start-up. NULLs leave the decoder off: every answer is then inexact. */
void ftsan_decode_init(void *zydis_init, void *zydis_decode);
bool ftsan_decode_available(void);

/**
 * ftsan_decode_fault() - decode the instruction that faulted
 * @out:       filled in any case
 * @ucontext:  registers at the instruction
 * @fault:     faulting address
 * @is_write:  from the page-fault error code
 *
 * Context: async-signal-safe (Zydis allocates nothing and keeps no state).
 */
void ftsan_decode_fault(struct ftsan_insn *out, const void *ucontext, uintptr_t fault,
			bool is_write);

#endif
