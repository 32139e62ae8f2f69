#include "stacks/alloc_site.h"

struct ftsan_pyabi ftsan_abi;
void *(*ftsan_tstate_get)(void);
void *(*ftsan_tstate_kept)(void);
intptr_t ftsan_tstate_tls;

/* An allocation asks for the thread state, and its call would be a fifth of the cost. */
static void find_tstate(void *(*tstate_get)(void))
{
	intptr_t offset =
		tstate_get == NULL ? 0 : ftsan_tls_getter((uintptr_t)tstate_get);

	if (offset != 0 && ftsan_tls_word(offset) != (uintptr_t)tstate_get())
		offset = 0;
	/* In one store: after a detach, a thread may still be in an allocation. */
	ftsan_tstate_tls = offset;
}

void ftsan_alloc_site_init(const struct ftsan_pyabi *abi, void *(*tstate_get)(void),
			   void *(*tstate_kept)(void))
{
	/* The next attach finds the same, and a thread that the detach before has
	 * overtaken may be reading it. */
	if (memcmp(abi, &ftsan_abi, sizeof(*abi)) != 0)
		ftsan_abi = *abi;
	if (!ftsan_abi.known)
		return;
	ftsan_tstate_get = tstate_get;
	ftsan_tstate_kept = tstate_kept;
	find_tstate(tstate_get);
}
