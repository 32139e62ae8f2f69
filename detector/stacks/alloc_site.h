/*
 * Where the calling thread is, in a handful of loads. Inline, because every allocation
 * of an array asks.
 */
#ifndef FTSAN_ALLOC_SITE_H
#define FTSAN_ALLOC_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/base.h"
#include "stacks/pyabi.h"

/**
 * struct ftsan_alloc_site - where something was allocated
 * @pc:   return address
 * @code, @instr, @tlbc: the Python position; to be validated before use, the code object
 *        may be gone
 */
struct ftsan_alloc_site {
	uintptr_t pc;
	uintptr_t code;
	uintptr_t instr;
	int32_t tlbc;
};

/* Layouts of this interpreter, and its own way to the calling thread's state (NULL:
 * neither is known). Set once, at start. */
extern FTSAN_HIDDEN struct ftsan_pyabi ftsan_abi;
extern FTSAN_HIDDEN void *(*ftsan_tstate_get)(void);
extern FTSAN_HIDDEN void *(*ftsan_tstate_kept)(void);
/* Where it takes it from (base/tls.h), 0: not known. */
extern FTSAN_HIDDEN intptr_t ftsan_tstate_tls;

/**
 * ftsan_alloc_site_init() - how to find out where a thread is
 * @abi:        layouts of the interpreter
 * @tstate_get: its own way to the calling thread's state; NULL: there is none
 * @tstate_kept: the same, be the thread attached or not; NULL: there is none
 *
 * Context: start-up, and again after a detach.
 */
void ftsan_alloc_site_init(const struct ftsan_pyabi *abi, void *(*tstate_get)(void),
			   void *(*tstate_kept)(void));

static inline uintptr_t ftsan_member(uintptr_t base, uint32_t offset)
{
	uintptr_t value;

	memcpy(&value, (const void *)(base + offset), sizeof(value));
	return value;
}

static inline uint32_t ftsan_member_u32(uintptr_t base, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, (const void *)(base + offset), sizeof(value));
	return value;
}

/* Is the thread state where that says, and the frame in it? Constant after start-up. */
static inline bool ftsan_frame_is_near(void)
{
	return ftsan_tstate_tls != 0 && ftsan_abi.tstate_cframe == 0;
}

/* ftsan_frame_here() in loads only, where ftsan_frame_is_near(). */
static inline uintptr_t ftsan_frame_near(void)
{
	uintptr_t tstate = ftsan_tls_word(ftsan_tstate_tls);

	return FTSAN_LIKELY(tstate != 0)
		       ? ftsan_member(tstate, ftsan_abi.tstate_current_frame)
		       : 0;
}

/* The calling thread's innermost frame of Python, 0: none, or not known. Context: normal
 * context of an attached thread; in place as long as the thread is in what it calls. */
static inline uintptr_t ftsan_frame_here(void)
{
	uintptr_t tstate;

	if (FTSAN_LIKELY(ftsan_frame_is_near()))
		return ftsan_frame_near();
	tstate = ftsan_tstate_get != NULL ? (uintptr_t)ftsan_tstate_get() : 0;
	if (tstate == 0)
		return 0;
	if (ftsan_abi.tstate_cframe != 0)
		tstate = ftsan_member(tstate, ftsan_abi.tstate_cframe);
	return ftsan_member(tstate, ftsan_abi.tstate_current_frame);
}

/* Where a frame is: the address of its next or its current instruction. Each code object
 * has its own (and each thread, where they have copies), so that says which code, too. */
static inline uintptr_t ftsan_frame_instr(uintptr_t frame)
{
	return FTSAN_LIKELY(frame != 0) ? ftsan_member(frame, ftsan_abi.frame_instr_ptr)
					: 0;
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
	uintptr_t frame = ftsan_frame_here();

	out->pc = pc;
	out->code = 0;
	out->instr = ftsan_frame_instr(frame);
	out->tlbc = 0;
	if (frame == 0)
		return;
	out->code = ftsan_member(frame, ftsan_abi.frame_executable) & ~(uintptr_t)7;
	if (ftsan_abi.frame_tlbc_index != 0)
		memcpy(&out->tlbc, (const void *)(frame + ftsan_abi.frame_tlbc_index),
		       sizeof(out->tlbc));
}

#endif
