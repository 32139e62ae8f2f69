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
 * @pc:        program counters without libftsan's own; the first lies inside the
 *             instruction, the others are return addresses
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
 * ftsan_libunwind_init() - the unwinder that rests on libunwind
 * @init_local2, @step, @get_reg: _ULx86_64_init_local2, _ULx86_64_step and
 *         _ULx86_64_get_reg of a libunwind 1.3 or later that was opened with RTLD_LOCAL
 *
 * libunwind reads the stack where the unwind tables say, and trusts them more than we
 * do, so the SIGSEGV and SIGBUS handler has to call ftsan_stack_fixup().
 *
 * Context: start-up, once. Return: NULL when a function is missing.
 */
const struct ftsan_unwinder *ftsan_libunwind_init(void *init_local2, void *step,
						  void *get_reg);

/**
 * ftsan_stack_fixup() - divert a fault inside the unwinder
 * @context: the ucontext_t of the signal
 *
 * A stack whose unwind tables are wrong (hand-written assembly, generated code) ends
 * where the unwinder faulted, and the frames up to there count.
 *
 * Context: the signal handler, after ftsan_safe_read_fixup().
 * Return:  true if the fault was the unwinder's; the handler returns at once then.
 */
bool ftsan_stack_fixup(void *context);

/* Ends the calling thread's walk, as a fault of the unwinder would: it keeps the frames
 * that it has. Context: within the unwinder. Does not return. */
_Noreturn void ftsan_stack_give_up(void);

/**
 * ftsan_stack_on_escape() - who lets go of what a walk holds that a fault ended
 * @release: called on the walk's thread, in whatever context that walks; NULL: nobody
 *
 * Context: start-up, before the first walk.
 */
void ftsan_stack_on_escape(void (*release)(void));

/*
 * Is the calling thread in the unwinder, with every asynchronous signal blocked for as
 * long as that takes? Then the unwinder need not block them. Async-signal-safe.
 */
bool ftsan_stack_walking(void);

/*
 * Fills @out with at most @max Python frames of the calling thread, innermost first,
 * and sets @more when there were more; the count. Async-signal-safe.
 */
typedef unsigned (*ftsan_python_walk_fn)(struct ftsan_pyframe *out, unsigned max,
					 bool *more);

/* Context: start-up. NULL: Python frames are left out. */
void ftsan_stack_set_python(ftsan_python_walk_fn walk);

/*
 * The addresses of libftsan's own code, whose frames no capture shows. Context:
 * start-up. Never set (a unit test): nothing is dropped.
 */
void ftsan_stack_set_own_range(uintptr_t begin, uintptr_t end);

/**
 * ftsan_stack_capture() - record the calling thread's stack
 * @out:      filled; never fails, an empty stack says that nothing could be had
 * @ucontext: registers to begin at: a signal handler's context argument, or one that
 *            ftsan_context_here() filled in
 *
 * Context: any thread, async-signal-safe, no allocation; takes libunwind's and the
 *          loader's locks, so the caller holds none of ours.
 */
void ftsan_stack_capture(struct ftsan_stack *out, const void *ucontext);

/*
 * Like ftsan_stack_capture(), beginning at the function that calls it; inside libftsan
 * that is, since its frames are dropped, the function that called into libftsan.
 */
void ftsan_stack_capture_here(struct ftsan_stack *out);

/* The same, of so many innermost frames at most: what is captured often costs by frame. */
void ftsan_stack_capture_top(struct ftsan_stack *out, unsigned native, unsigned python);

/*
 * fork(): no thread may be inside the unwinder while the process forks, because its
 * locks would stay taken in the child. prepare() shuts the gate and waits (bounded)
 * for those inside; captures meanwhile have no native frames. done() is called in the
 * parent and in the child; a child that was forked while somebody was still inside
 * keeps the gate shut.
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

/**
 * enum ftsan_eval - what a native frame has to do with the evaluation loop
 * @FTSAN_EVAL_NONE:  nothing
 * @FTSAN_EVAL_LOOP:  it is one activation of the loop, so an entry frame belongs to it
 * @FTSAN_EVAL_INNER: one instruction of CPython 3.14's tail-calling interpreter, which
 *                    runs on behalf of the activation that is the next native frame
 */
enum ftsan_eval {
	FTSAN_EVAL_NONE,
	FTSAN_EVAL_LOOP,
	FTSAN_EVAL_INNER,
};

/* Is @pc inside the interpreter's evaluation loop? (asked while weaving) */
typedef enum ftsan_eval (*ftsan_is_eval_fn)(uintptr_t pc);

/**
 * ftsan_stack_weave() - interleave native and Python frames as a person reads them
 * @stack:   what was captured
 * @is_eval: tells the evaluation loop's program counters; NULL: none is
 * @out:     room for FTSAN_NATIVE_MAX + FTSAN_PYFRAME_MAX frames
 *
 * Each native frame of the evaluation loop is replaced by the Python frames it ran,
 * up to and including the next entry frame. Python frames that no native frame
 * accounts for follow at the end (the native part was cut, or could not be had); an
 * activation for which no Python frame is left (those were cut) stays a native frame.
 * The interpreter's own frames between two Python frames stay.
 *
 * Pure. Return: the number of frames.
 */
unsigned ftsan_stack_weave(const struct ftsan_stack *stack, ftsan_is_eval_fn is_eval,
			   struct ftsan_frame *out);

#endif
