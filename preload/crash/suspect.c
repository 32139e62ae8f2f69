#include "crash/suspect.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/base.h"
#include "process/process.h"

/* Of one thread each. One that left its handler by siglongjmp() keeps its own until it
 * has another fault, or ends. */
enum { SUSPECTS = 8 };

static struct ftsan_suspect suspects[SUSPECTS];

/* Asked at each handler's end: without a fault at no cost. */
static struct ftsan_suspect *own(void)
{
	for (unsigned i = 0; i < SUSPECTS; i++) {
		uint64_t whose = atomic_load(&suspects[i].whose);

		if (whose != 0 && whose == ftsan_sys_self())
			return &suspects[i];
	}
	return NULL;
}

static bool is_gone(uint64_t whose)
{
	int pid = ftsan_sys_getpid();

	return whose == 0 || (int)(whose >> 32) != pid ||
	       ftsan_sys_tgkill(pid, (int)(uint32_t)whose, 0) == -ESRCH;
}

static struct ftsan_suspect *take(void)
{
	struct ftsan_suspect *there = own();

	for (unsigned i = 0; there == NULL && i < SUSPECTS; i++) {
		uint64_t whose = atomic_load(&suspects[i].whose);

		if (is_gone(whose) &&
		    atomic_compare_exchange_strong(&suspects[i].whose, &whose,
						   ftsan_sys_self())) {
			there = &suspects[i];
			there->asking = false;
		}
	}
	return there;
}

struct ftsan_suspect *ftsan_suspect_note(int sig, const siginfo_t *info, const void *uc)
{
	struct ftsan_suspect *suspect = take();

	if (suspect == NULL ||
	    (suspect->asking &&
	     ftsan_altstack_within(suspect->frame, ftsan_context_sp(uc))))
		return NULL;
	suspect->sig = sig;
	suspect->info = *info;
	memcpy(&suspect->uc, uc, sizeof(suspect->uc));
	suspect->frame = (uintptr_t)uc;
	suspect->asking = suspect->asked = false;
	return suspect;
}

struct ftsan_suspect *ftsan_suspect_of(int sig, const siginfo_t *info, const void *uc)
{
	struct ftsan_suspect *suspect = own();

	return suspect != NULL && suspect->sig == sig && info->si_code <= 0 &&
			       ftsan_altstack_within(suspect->frame, ftsan_context_sp(uc))
		       ? suspect
		       : NULL;
}

void ftsan_suspect_forget(void)
{
	struct ftsan_suspect *suspect = own();

	if (suspect != NULL)
		atomic_store(&suspect->whose, 0);
}
