/*
 * libunwind 1.6 (libunwind.so.8) through function pointers: linking it would put its
 * _Unwind_* in front of libgcc_s's in every process.
 *
 * Whether it validates the addresses that the unwind tables name depends on how it was
 * configured (1.6.2, src/x86_64/Gstep.c, CONSERVATIVE_CHECKS), and it remembers pages
 * that were good once, hence the guarded call. It reads the stack after it has let go
 * of its cache's lock (src/dwarf/Gparser.c, find_reg_state, then apply_reg_state), so
 * a fault there leaves nothing locked. What it reads with the lock taken are the unwind
 * tables, and the static data they refer to: a page of that which a window has closed is
 * opened for it (runtime.c, ftsan_runtime_walk_fault()). Should a walk end there all the
 * same, ftsan_stack_on_escape() has the lock given back.
 */
#include <stddef.h>
#include <stdint.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "stacks/stack.h"
#include "stacks/stack_guard.h"

static struct {
	int (*init_local2)(unw_cursor_t *, unw_context_t *, int);
	int (*step)(unw_cursor_t *);
	int (*get_reg)(unw_cursor_t *, int, unw_word_t *);
} lib; /* written once, at start-up */

/* Outlives a fault in the middle of the walk, so every frame is counted when it is in. */
struct walk {
	const void *ucontext;
	uintptr_t *pc;
	unsigned max;
	volatile unsigned count;
};

static void walk_frames(void *argument)
{
	struct walk *walk = argument;
	unw_cursor_t cursor;
	unw_word_t ip;

	/* The context's program counter is exact, as a signal frame's is. libunwind only
	 * reads the context; on x86-64 unw_context_t is ucontext_t. */
	if (lib.init_local2(&cursor, (unw_context_t *)(uintptr_t)walk->ucontext,
			    UNW_INIT_SIGNAL_FRAME) < 0)
		return;
	while (walk->count < walk->max) {
		if (lib.get_reg(&cursor, UNW_REG_IP, &ip) < 0 || ip == 0)
			return;
		walk->pc[walk->count] = ip;
		walk->count++;
		if (lib.step(&cursor) <= 0)
			return;
	}
}

static unsigned walk_libunwind(const void *ucontext, uintptr_t *pc, unsigned max)
{
	struct walk walk = {.ucontext = ucontext, .pc = pc, .max = max};

	(void)ftsan_guarded_call(walk_frames, &walk);
	return walk.count;
}

const struct ftsan_unwinder *ftsan_libunwind_init(void *init_local2, void *step,
						  void *get_reg)
{
	static const struct ftsan_unwinder unwinder = {.walk = walk_libunwind};

	if (init_local2 == NULL || step == NULL || get_reg == NULL)
		return NULL;
	*(void **)&lib.init_local2 = init_local2;
	*(void **)&lib.step = step;
	*(void **)&lib.get_reg = get_reg;
	return &unwinder;
}
