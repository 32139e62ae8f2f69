/*
 * Stacks: what is recorded at the moment of an access (program counters and Python
 * frames), and how the two are woven together when they are written out.
 */
#ifndef FTSAN_STACK_H
#define FTSAN_STACK_H

#include <stdbool.h>
#include <stdint.h>

enum {
	FTSAN_NATIVE_MAX = 64,
	FTSAN_PYFRAME_MAX = 32,
	FTSAN_PYFILE_MAX = 160,
	FTSAN_PYFUNC_MAX = 72,
};

/**
 * struct ftsan_pyframe - one Python frame, resolved when it was captured
 * @file:     co_filename in UTF-8; a long one keeps its tail, after "..."
 * @function: co_qualname in UTF-8, cut to fit
 * @line:     1-based; 0 when unknown
 * @entry:    the frame that the C stack entered the interpreter with: the frames
 *            from the innermost one up to and including this one belong to one
 *            native call of the evaluation loop
 */
struct ftsan_pyframe {
	char file[FTSAN_PYFILE_MAX];
	char function[FTSAN_PYFUNC_MAX];
	int32_t line;
	bool entry;
};

/**
 * struct ftsan_stack - one thread's stack, innermost frames first
 * @pc:        program counters; the first is exact, the others return addresses
 * @n_native:  used entries of @pc
 * @n_python:  used entries of @python
 * @truncated: there were more frames than fit
 *
 * Plain data: copying it copies everything.
 */
struct ftsan_stack {
	uint16_t n_native;
	uint16_t n_python;
	bool truncated;
	uintptr_t pc[FTSAN_NATIVE_MAX];
	struct ftsan_pyframe python[FTSAN_PYFRAME_MAX];
};

/**
 * struct ftsan_unwinder - how program counters are obtained (set once, at start)
 * @walk: fills @pc with at most @max program counters of the calling thread,
 *        innermost first, beginning at the registers in @ucontext; the count
 *
 * Context: async-signal-safe.
 */
struct ftsan_unwinder {
	unsigned (*walk)(const void *ucontext, uintptr_t *pc, unsigned max);
};

/* Context: start-up, before the first capture. NULL: native frames are left out. */
void ftsan_stack_set_unwinder(const struct ftsan_unwinder *unwinder);

/**
 * ftsan_stack_capture() - record the calling thread's stack
 * @out:      filled; never fails, an empty stack says that nothing could be had
 * @ucontext: registers to begin at: a signal handler's context argument, or one that
 *            ftsan_stack_here() made
 *
 * Context: any thread, async-signal-safe, no allocation; takes libunwind's and the
 *          loader's locks, so the caller holds none of ours.
 */
void ftsan_stack_capture(struct ftsan_stack *out, const void *ucontext);

/* Like ftsan_stack_capture() for the caller of the function that calls it. */
void ftsan_stack_capture_here(struct ftsan_stack *out);

/*
 * fork(): no thread may be inside the unwinder while the process forks, because its
 * locks would stay taken in the child. prepare() shuts the gate and waits (bounded)
 * for those inside; captures meanwhile have no native frames.
 */
void ftsan_stack_fork_prepare(void);
void ftsan_stack_fork_done(void);

/**
 * struct ftsan_frame - one line of a woven stack
 * @python: which of the two kinds it is
 * @pc:     native: program counter, already moved back into the calling instruction
 * @frame:  python: borrowed from the ftsan_stack
 */
struct ftsan_frame {
	bool python;
	uintptr_t pc;
	const struct ftsan_pyframe *frame;
};

/* Is @pc inside the interpreter's evaluation loop? (asked while weaving) */
typedef bool (*ftsan_is_eval_fn)(uintptr_t pc);

/**
 * ftsan_stack_weave() - interleave native and Python frames as a person reads them
 * @stack:   what was captured
 * @is_eval: tells the evaluation loop's program counters; NULL: none is
 * @out:     room for FTSAN_NATIVE_MAX + FTSAN_PYFRAME_MAX frames
 *
 * Each native frame of the evaluation loop is replaced by the Python frames it ran,
 * up to and including the next entry frame. Python frames that no native frame
 * accounts for follow at the end (the native part was cut, or could not be had).
 * The interpreter's own frames between two Python frames stay; libftsan's go.
 *
 * Pure. Return: the number of frames.
 */
unsigned ftsan_stack_weave(const struct ftsan_stack *stack, ftsan_is_eval_fn is_eval,
			   struct ftsan_frame *out);

#endif
