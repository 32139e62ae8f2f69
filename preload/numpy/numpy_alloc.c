#include "numpy/numpy_alloc.h"

#include <stdatomic.h>
#include <stddef.h>

#include "adapters/adapters.h"
#include "base/base.h"
#include "hooks/hooks.h"
#include "operations/operations.h"
#include "pages/pages.h"
#include "python/python.h"
#include "runtime/runtime.h"
#include "stacks/stacks.h"

/* What is known of a return address behind PyMem_RawMalloc in NumPy's module. */
enum verdict { VERDICT_UNKNOWN, VERDICT_DIMS, VERDICT_OTHER };
/*
 * One header that took its buffer decides. The other way takes many, because by the
 * time of the look the array may be gone and its memory another's. A caller that never
 * comes behind a header takes more: whoever allocates dims, and nothing for subclasses
 * only, comes behind one some time.
 */
enum { CALLERS = 32, MISSES_MAX = 100, LONE_MAX = 5000 };

/**
 * struct caller - who allocates
 * @misses: times that the header behind which it came did not take the buffer
 * @lone:   times that it came behind no header, before there was a verdict
 */
struct caller {
	_Atomic uintptr_t pc;
	_Atomic uint8_t verdict;
	_Atomic uint8_t misses;
	_Atomic uint16_t lone;
};

/* Lock-free, filled at the first allocations. */
static struct caller callers[CALLERS];
/* One that allocates dims: in most versions the only one. 0: none is known, or where the
 * thread is can't be told without a call. */
static _Atomic uintptr_t usual_caller;
/* One that does not: where NumPy gets its arrays' data by the same function (2.4 and
 * later), about half of all calls are its. 0: none is known. */
static _Atomic uintptr_t usual_other;
static uintptr_t module_begin, module_bytes; /* of _multiarray_umath; set once */
static _Atomic bool ready;
static bool births; /* operations ask for them; set before ready */

/*
 * The header that tp_alloc has just made in this thread (NewFromDescr allocates the
 * dims next), and an allocation whose call site is still to be judged by whether the
 * header came to point at it.
 */
static FTSAN_TLS uintptr_t fresh_header;
static FTSAN_TLS uintptr_t judged_header;
static FTSAN_TLS uintptr_t judged_buffer;
static FTSAN_TLS struct caller *judged;

/* --- allocation call sites ------------------------------------------------------ */

static struct caller *caller_of(uintptr_t pc)
{
	unsigned first = (unsigned)(pc * 0x9e3779b97f4a7c15ull >> 59);

	for (unsigned i = 0; i < CALLERS; i++) {
		struct caller *caller = &callers[(first + i) % CALLERS];
		uintptr_t known = atomic_load_explicit(&caller->pc, memory_order_relaxed);

		if (known == pc)
			return caller;
		if (known == 0 &&
		    (atomic_compare_exchange_strong(&caller->pc, &known, pc) ||
		     known == pc))
			return caller;
	}
	return NULL;
}

/* become_usual() - after a detach, too, what is known of the callers stays. */
static void become_usual(struct caller *caller)
{
	uintptr_t none = 0;

	if (ftsan_frame_is_near() &&
	    atomic_load_explicit(&usual_caller, memory_order_relaxed) == 0)
		(void)atomic_compare_exchange_strong(
			&usual_caller, &none,
			atomic_load_explicit(&caller->pc, memory_order_relaxed));
}

static void judge(struct caller *caller)
{
	uintptr_t dims;

	judged = NULL;
	if (ftsan_safe_ptr(judged_header + ftsan_numpy_dims_offset(), &dims) &&
	    dims == judged_buffer)
		atomic_store_explicit(&caller->verdict, VERDICT_DIMS,
				      memory_order_relaxed);
	else if (atomic_fetch_add_explicit(&caller->misses, 1, memory_order_relaxed) ==
			 MISSES_MAX &&
		 atomic_load_explicit(&caller->verdict, memory_order_relaxed) ==
			 VERDICT_UNKNOWN)
		atomic_store_explicit(&caller->verdict, VERDICT_OTHER,
				      memory_order_relaxed);
}

/* Did the header take the buffer that was allocated behind it? */
static void judge_last(void)
{
	if (FTSAN_UNLIKELY(judged != NULL))
		judge(judged);
}

static void come_alone(struct caller *caller)
{
	uintptr_t none = 0;

	if (atomic_fetch_add_explicit(&caller->lone, 1, memory_order_relaxed) < LONE_MAX)
		return;
	atomic_store_explicit(&caller->verdict, VERDICT_OTHER, memory_order_relaxed);
	(void)atomic_compare_exchange_strong(
		&usual_other, &none,
		atomic_load_explicit(&caller->pc, memory_order_relaxed));
}

/* guarded() - a buffer of ours; NULL: none. */
static void *guarded(struct caller *caller, uint8_t verdict, size_t size_bytes,
		     uintptr_t pc)
{
	/* Without a header it is a subclass's, or a setter's new shape: bound when its
	 * header is first seen. */
	uintptr_t header = fresh_header;
	struct ftsan_alloc_site site;
	void *buffer;

	judge_last();
	fresh_header = 0;
	if (verdict == VERDICT_UNKNOWN && header == 0) {
		come_alone(caller);
		return NULL;
	}
	ftsan_alloc_site_here(pc, &site);
	buffer = ftsan_guard_alloc(FTSAN_ADAPTER_NUMPY, size_bytes, header, &site);
	if (verdict == VERDICT_UNKNOWN) {
		judged = buffer != NULL ? caller : NULL;
		judged_header = header;
		judged_buffer = (uintptr_t)buffer;
	}
	return buffer;
}

/* skips_unusual() - the engine is asked; the next time, if it can be, on the short way.
 */
static bool skips_unusual(struct caller *caller, uintptr_t pc)
{
	become_usual(caller);
	return ftsan_guard_skips(pc, ftsan_frame_instr(ftsan_frame_here()));
}

/* allocate() - @asked: it is not to be left out, as far as the engine goes. */
static FTSAN_NOINLINE void *allocate(size_t size_bytes, uintptr_t pc, bool asked)
{
	struct caller *caller = NULL;
	uint8_t verdict = VERDICT_OTHER;
	void *buffer = NULL;

	if (atomic_load_explicit(&ready, memory_order_acquire) &&
	    pc - module_begin < module_bytes && ftsan_numpy_is_dims_size(size_bytes))
		caller = caller_of(pc);
	if (caller != NULL)
		verdict = atomic_load_explicit(&caller->verdict, memory_order_relaxed);
	if (verdict == VERDICT_DIMS && !asked && skips_unusual(caller, pc))
		fresh_header = 0;
	else if (verdict != VERDICT_OTHER)
		buffer = guarded(caller, verdict, size_bytes, pc);
	return buffer != NULL ? buffer : ftsan_real.PyMem_RawMalloc(size_bytes);
}

/* Nothing is called but the original, so that no register need be saved. */
void *ftsan_hook_PyMem_RawMalloc(size_t size)
{
	uintptr_t pc = (uintptr_t)__builtin_return_address(0);

	if (pc != atomic_load_explicit(&usual_caller, memory_order_relaxed))
		return pc == atomic_load_explicit(&usual_other, memory_order_relaxed)
			       ? ftsan_real.PyMem_RawMalloc(size)
			       : allocate(size, pc, false);
	if (!ftsan_guard_skips(pc, ftsan_frame_instr(ftsan_frame_near())))
		return allocate(size, pc, true);
	fresh_header = 0;
	return ftsan_real.PyMem_RawMalloc(size);
}

/* --- the type ------------------------------------------------------------------- */

static void *(*generic_alloc)(void *type, ptrdiff_t n_items);

static void *hook_tp_alloc(void *type, ptrdiff_t n_items)
{
	void *header;

	judge_last();
	header = generic_alloc(type, n_items);
	fresh_header = (uintptr_t)header;
	if (births)
		ftsan_operation_born((uintptr_t)header);
	return header;
}

/* A subclass made by Python code has PyType_GenericAlloc of its own. */
static void adopt_type(void *type)
{
	void *alloc = ftsan_type_get(type, FTSAN_TP_ALLOC);

	/* An operation that a detach has overtaken leaves the type as it is. */
	if (alloc == (void *)generic_alloc &&
	    atomic_load_explicit(&ready, memory_order_acquire))
		ftsan_type_set(type, FTSAN_TP_ALLOC, (void *)hook_tp_alloc);
	ftsan_operation_born_unnoticed();
}

void ftsan_numpy_bind(void *array, const void *buffer)
{
	void *type = ftsan_object_type(array);

	if (FTSAN_UNLIKELY(ftsan_type_get(type, FTSAN_TP_ALLOC) != (void *)hook_tp_alloc))
		adopt_type(type);
	if (buffer != NULL &&
	    FTSAN_UNLIKELY(ftsan_guard_object(buffer) != (uintptr_t)array))
		ftsan_guard_bind(buffer, (uintptr_t)array);
}

bool ftsan_numpy_alloc_ready(void)
{
	return atomic_load_explicit(&ready, memory_order_acquire);
}

void ftsan_numpy_alloc_start(void *type, uintptr_t begin, uintptr_t bytes)
{
	births = ftsan_latent();
	/* Builds with a GIL keep dims buffers in a cache of NumPy's own and hand them to
	 * the next array: there they are sealed for single operations only. */
	module_begin = begin;
	module_bytes = births || ftsan_runtime_abi()->free_threaded ? bytes : 0;
	/* Again, after a detach: there may be one that it has missed. */
	if (ftsan_type_get(type, FTSAN_TP_ALLOC) != (void *)hook_tp_alloc)
		generic_alloc = (void *(*)(void *, ptrdiff_t))ftsan_type_get(
			type, FTSAN_TP_ALLOC);
	atomic_store_explicit(&ready, true, memory_order_release);
	ftsan_type_set(type, FTSAN_TP_ALLOC, (void *)hook_tp_alloc);
}

bool ftsan_numpy_alloc_stop(void)
{
	if (!atomic_exchange_explicit(&ready, false, memory_order_acq_rel))
		return false;
	atomic_store_explicit(&usual_caller, 0, memory_order_relaxed);
	atomic_store_explicit(&usual_other, 0, memory_order_relaxed);
	return true;
}

void ftsan_numpy_alloc_restore(void *type)
{
	if (ftsan_type_get(type, FTSAN_TP_ALLOC) == (void *)hook_tp_alloc)
		ftsan_type_set(type, FTSAN_TP_ALLOC, (void *)generic_alloc);
}
