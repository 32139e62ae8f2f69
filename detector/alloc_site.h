/*
 * Where the calling thread is, in a handful of loads. Inline, because every allocation
 * of an array asks.
 */
#ifndef FTSAN_ALLOC_SITE_H
#define FTSAN_ALLOC_SITE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/annot.h"
#include "pyabi.h"
#include "slot.h"

/* Layouts of this interpreter, and its own way to the calling thread's state (NULL:
 * neither is known). Set once, at start (runtime.c). */
extern struct ftsan_pyabi ftsan_abi;
extern void *(*ftsan_tstate_get)(void);

static inline uintptr_t ftsan_member(uintptr_t base, uint32_t offset)
{
	uintptr_t value;

	memcpy(&value, (const void *)(base + offset), sizeof(value));
	return value;
}

/**
 * ftsan_alloc_site_here() - note where the calling thread is
 * @pc:  return address in native code
 * @out: that, and the position of the innermost Python frame by raw pointers, zeros where
 *       there is none
 *
 * Context: normal context of an attached thread.
 */
static inline void ftsan_alloc_site_here(uintptr_t pc, struct ftsan_alloc_site *out)
{
	uintptr_t tstate, frame = 0;

	out->pc = pc;
	out->code = out->instr = 0;
	out->tlbc = 0;
	if (FTSAN_UNLIKELY(ftsan_tstate_get == NULL))
		return;
	tstate = (uintptr_t)ftsan_tstate_get();
	if (tstate == 0)
		return;
	if (FTSAN_UNLIKELY(ftsan_abi.tstate_cframe != 0))
		tstate = ftsan_member(tstate, ftsan_abi.tstate_cframe);
	/* The thread's own innermost frame: in place as long as the thread is here. */
	frame = ftsan_member(tstate, ftsan_abi.tstate_current_frame);
	if (frame == 0)
		return;
	out->code = ftsan_member(frame, ftsan_abi.frame_executable) & ~(uintptr_t)7;
	out->instr = ftsan_member(frame, ftsan_abi.frame_instr_ptr);
	if (ftsan_abi.frame_tlbc_index != 0)
		memcpy(&out->tlbc, (const void *)(frame + ftsan_abi.frame_tlbc_index),
		       sizeof(out->tlbc));
}

#endif
