#include "numpy/numpy_ops.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/base.h"
#include "elf/elf.h"
#include "process/process.h"
#include "threads/threads.h"

/*
 * The calling conventions of methods, slots and most API functions pass at most five
 * pointer-sized arguments in registers and return in rax, so one prototype forwards them
 * all; registers that a convention does not use carry whatever they held. The few
 * functions with more arguments go through prototypes of FTSAN_OP_WIDE: what they did
 * not pass is whatever the caller's frame holds there.
 */
enum { NARROW = 5 };
#define NARROW_PARAMS void *a, void *b, void *c, void *d, void *e
#define NARROW_ARGS a, b, c, d, e
#define WIDE_PARAMS                                                                      \
	NARROW_PARAMS, void *f, void *g, void *h, void *i, void *j, void *k, void *l
#define WIDE_ARGS NARROW_ARGS, f, g, h, i, j, k, l
typedef void *(*narrow_function)(NARROW_PARAMS);
typedef void *(*wide_function)(WIDE_PARAMS);

#define REPEAT_8(m, n) m(n##0) m(n##1) m(n##2) m(n##3) m(n##4) m(n##5) m(n##6) m(n##7)
#define REPEAT_64(m, n)                                                                  \
	REPEAT_8(m, n##0)                                                                \
	REPEAT_8(m, n##1)                                                                \
	REPEAT_8(m, n##2)                                                                \
	REPEAT_8(m, n##3)                                                                \
	REPEAT_8(m, n##4) REPEAT_8(m, n##5) REPEAT_8(m, n##6) REPEAT_8(m, n##7)
#define REPEAT_512(m, n)                                                                 \
	REPEAT_64(m, n##0)                                                               \
	REPEAT_64(m, n##1)                                                               \
	REPEAT_64(m, n##2)                                                               \
	REPEAT_64(m, n##3)                                                               \
	REPEAT_64(m, n##4) REPEAT_64(m, n##5) REPEAT_64(m, n##6) REPEAT_64(m, n##7)
/* Octal numbers 00000 to 03777 and 0000 to 0017: NumPy's own tables take about 400. */
#define EACH_NARROW(m)                                                                   \
	REPEAT_512(m, 00) REPEAT_512(m, 01) REPEAT_512(m, 02) REPEAT_512(m, 03)
#define EACH_WIDE(m) REPEAT_8(m, 000) REPEAT_8(m, 001)
enum { NARROW_TRAMPOLINES = 2048, WIDE_TRAMPOLINES = 16 };

/* struct hooked - @entry: where it was found */
struct hooked {
	void *original;
	void **entry;
	struct ftsan_op op;
};

/* Each entry is filled before its trampoline is in any table, constant afterwards. */
static struct hooked narrow_hooked[NARROW_TRAMPOLINES];
static struct hooked wide_hooked[WIDE_TRAMPOLINES];
static _Atomic unsigned narrow_used, wide_used;
/* Between a detach and the next attach; and whether there was a detach. */
static _Atomic bool resting;
static bool restored;

static inline bool is_noted(void)
{
	return !atomic_load_explicit(&resting, memory_order_relaxed) &&
	       ftsan_worker_begin();
}

/* begin() - false: no operation after all */
static bool begin(struct ftsan_operation_call *call, const struct ftsan_op *op,
		  void *const *words, uintptr_t pc)
{
	struct ftsan_operation_frame *frame;

	if (!is_noted() || (op->optional && !ftsan_args_may_add(&op->args, words)))
		return false;
	frame = ftsan_operation_begin(call, &op->operation, pc);
	if (FTSAN_UNLIKELY(frame == NULL))
		return false;
	ftsan_args_add(frame, &op->args, words);
	if (!op->optional || frame->n_arrays != 0) {
		ftsan_operation_watch(frame);
		/* It looks at the values from outside while the operation lasts. */
		if (FTSAN_UNLIKELY(frame->recheck != 0))
			ftsan_scout_start();
		return true;
	}
	ftsan_operation_end(call);
	return false;
}

static void finish(const struct ftsan_operation_call *call, const struct ftsan_op *op,
		   bool begun, void *result)
{
	if (FTSAN_LIKELY(begun))
		ftsan_operation_end(call);
	if (FTSAN_UNLIKELY(op->made != NULL))
		op->made(result);
}

/* The trampoline and call_narrow() end in a call of this one, so it returns to where the
 * trampoline was called from. */
static FTSAN_NOINLINE void *call_noted(NARROW_PARAMS, unsigned n)
{
	const struct hooked *the = &narrow_hooked[n];
	narrow_function original = (narrow_function)the->original;
	void *const words[NARROW] = {NARROW_ARGS};
	struct ftsan_operation_call it;
	bool begun = begin(&it, &the->op, words, (uintptr_t)__builtin_return_address(0));
	void *result = original(NARROW_ARGS);

	finish(&it, &the->op, begun, result);
	return result;
}

/* As long as nobody looks, no more than a few loads; the number comes last, so that the
 * arguments are in the registers that the original wants them in. */
static FTSAN_NOINLINE void *call_narrow(NARROW_PARAMS, unsigned n)
{
	const struct hooked *the = &narrow_hooked[n];

	if (!is_noted() && FTSAN_LIKELY(the->op.made == NULL))
		return ((narrow_function)the->original)(NARROW_ARGS);
	return call_noted(NARROW_ARGS, n);
}

/* Its arguments are no tail call's: the trampoline says where it was called from. */
static FTSAN_NOINLINE void *call_wide(unsigned n, uintptr_t pc, WIDE_PARAMS)
{
	const struct hooked *the = &wide_hooked[n];
	wide_function original = (wide_function)the->original;
	void *const words[FTSAN_OP_WIDE] = {WIDE_ARGS};
	struct ftsan_operation_call it;
	bool begun = begin(&it, &the->op, words, pc);
	void *result = original(WIDE_ARGS);

	finish(&it, &the->op, begun, result);
	return result;
}

/* In a section of their own, so that an address tells whether it is one of them. */
#define TRAMPOLINE __attribute__((section("ftsan_trampolines"))) static void *
extern const char __start_ftsan_trampolines[] __attribute__((visibility("hidden")));
extern const char __stop_ftsan_trampolines[] __attribute__((visibility("hidden")));

#define DEFINE(n)                                                                        \
	TRAMPOLINE narrow_##n(NARROW_PARAMS)                                             \
	{                                                                                \
		return call_narrow(NARROW_ARGS, n);                                      \
	}
EACH_NARROW(DEFINE)
#undef DEFINE

#define DEFINE(n)                                                                        \
	TRAMPOLINE wide_##n(WIDE_PARAMS)                                                 \
	{                                                                                \
		return call_wide(n, (uintptr_t)__builtin_return_address(0), WIDE_ARGS);  \
	}
EACH_WIDE(DEFINE)
#undef DEFINE

#define ENTRY(n) narrow_##n,
static const narrow_function narrow[NARROW_TRAMPOLINES] = {EACH_NARROW(ENTRY)};
#undef ENTRY
#define ENTRY(n) wide_##n,
static const wide_function wide[WIDE_TRAMPOLINES] = {EACH_WIDE(ENTRY)};
#undef ENTRY

static bool is_ours(const void *function)
{
	return (uintptr_t)function >= (uintptr_t)__start_ftsan_trampolines &&
	       (uintptr_t)function < (uintptr_t)__stop_ftsan_trampolines;
}

/* reserve() - a number below @limit that nobody else has, @limit when there is none */
static unsigned reserve(_Atomic unsigned *used, unsigned limit)
{
	unsigned n = atomic_load_explicit(used, memory_order_relaxed);

	while (n < limit && !atomic_compare_exchange_weak_explicit(used, &n, n + 1,
								   memory_order_relaxed,
								   memory_order_relaxed))
		;
	return n;
}

/* The trampoline of the next free entry, which is filled; NULL: there is none. */
static void *new_trampoline(void **entry, void *original, const struct ftsan_op *op)
{
	unsigned n = op->wide ? reserve(&wide_used, WIDE_TRAMPOLINES)
			      : reserve(&narrow_used, NARROW_TRAMPOLINES);
	struct hooked *the = op->wide ? wide_hooked : narrow_hooked;

	if (n == (op->wide ? WIDE_TRAMPOLINES : NARROW_TRAMPOLINES))
		return NULL;
	the[n] = (struct hooked){.original = original, .entry = entry, .op = *op};
	return op->wide ? (void *)wide[n] : (void *)narrow[n];
}

static unsigned count_of(_Atomic unsigned *used)
{
	return atomic_load_explicit(used, memory_order_acquire);
}

/* The trampoline that the entry had before a detach. */
static void *known_trampoline(void **entry, const void *original)
{
	for (unsigned n = 0; n < count_of(&narrow_used); n++)
		if (narrow_hooked[n].entry == entry &&
		    narrow_hooked[n].original == original)
			return (void *)narrow[n];
	for (unsigned n = 0; n < count_of(&wide_used); n++)
		if (wide_hooked[n].entry == entry && wide_hooked[n].original == original)
			return (void *)wide[n];
	return NULL;
}

void *ftsan_ops_original(const void *function)
{
	if (!is_ours(function))
		return NULL;
	for (unsigned n = 0; n < count_of(&narrow_used); n++)
		if ((const void *)narrow[n] == function)
			return narrow_hooked[n].original;
	for (unsigned n = 0; n < count_of(&wide_used); n++)
		if ((const void *)wide[n] == function)
			return wide_hooked[n].original;
	return NULL;
}

/* Its module may have been unloaded meanwhile. */
static void give_back(const struct hooked *the, void *trampoline)
{
	if (!ftsan_writable(the->entry, sizeof(*the->entry)))
		return;
	(void)__atomic_compare_exchange_n(the->entry, &trampoline, the->original, false,
					  __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

void ftsan_ops_restore(void)
{
	atomic_store(&resting, true);
	restored = true;
	for (unsigned n = 0; n < count_of(&narrow_used); n++)
		give_back(&narrow_hooked[n], (void *)narrow[n]);
	for (unsigned n = 0; n < count_of(&wide_used); n++)
		give_back(&wide_hooked[n], (void *)wide[n]);
}

void ftsan_ops_resume(void)
{
	atomic_store(&resting, false);
}

void *ftsan_ops_hook(void **entry, const struct ftsan_op *op)
{
	void *original = __atomic_load_n(entry, __ATOMIC_RELAXED);
	void *trampoline;

	if (original == NULL || is_ours(original) ||
	    atomic_load_explicit(&resting, memory_order_relaxed))
		return original;
	trampoline = restored ? known_trampoline(entry, original) : NULL;
	if (trampoline == NULL)
		trampoline = new_trampoline(entry, original, op);
	if (trampoline == NULL) {
		ftsan_count(left_out_operations);
		return original;
	}
	/* Release: who calls through it sees the entry of the trampoline. Another thread
	 * may have hooked it meanwhile: then the trampoline is lost, and no more. */
	if (!__atomic_compare_exchange_n(entry, &original, trampoline, false,
					 __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		return original;
	return trampoline;
}
