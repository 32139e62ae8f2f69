#include "crash/blocked.h"

#include "base/base.h"
#include "crash/moment.h"

enum {
	/* struct __pthread_mutex_s (sysdeps/x86/nptl/bits/struct_mutex.h, glibc 2.2.5 and
	 * later): the word that is waited on comes first, then the depth. */
	MUTEX_OWNER = 8,
	/* struct wait_entry (Python/parking_lot.c, 3.13 to 3.15): park_arg, addr, and a
	 * sem_t, whose first word is waited on (glibc, struct new_sem). */
	PARKED_AT = -8,
	/* _Py_LOCKED and _Py_HAS_PARKED (Include/internal/pycore_lock.h). */
	PY_MUTEX_CONTENDED = 3,
};

static void at_mutex(struct ftsan_blocked *out, uintptr_t word)
{
	int owner;

	out->lock = word;
	if (ftsan_safe_read(&owner, (const void *)(word + MUTEX_OWNER), sizeof(owner)) == 0)
		out->owner = owner;
}

static void at_py_mutex(struct ftsan_blocked *out, uintptr_t word)
{
	unsigned char bits;
	uintptr_t lock;

	if (ftsan_safe_ptr(word + (uintptr_t)PARKED_AT, &lock) && lock != 0 &&
	    ftsan_safe_read(&bits, (const void *)lock, 1) == 0 &&
	    (bits & PY_MUTEX_CONTENDED) == PY_MUTEX_CONTENDED)
		out->lock = lock;
}

void ftsan_blocked_at(struct ftsan_blocked *out, const void *ucontext,
		      const struct ftsan_stack *stack)
{
	uintptr_t word;

	*out = (struct ftsan_blocked){.lock = 0};
	if (!ftsan_context_futex(ucontext, &word))
		return;
	if (ftsan_moment_parked(stack)) {
		if (ftsan_moment_waits(stack))
			at_py_mutex(out, word);
	} else if (ftsan_moment_mutex(stack)) {
		at_mutex(out, word);
	}
}
