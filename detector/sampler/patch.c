#include "sampler/patch.h"

#include <stdatomic.h>
#include <sys/mman.h>

#include "base/base.h"

/* Written before the first byte is. */
static _Atomic bool by_memory, refused;

bool ftsan_patch_open(uintptr_t begin, uintptr_t end)
{
	uintptr_t first = begin & ~(FTSAN_PAGE - 1);
	size_t bytes = ((end + FTSAN_PAGE - 1) & ~(FTSAN_PAGE - 1)) - first;

	if (!atomic_load(&by_memory) &&
	    ftsan_sys_protect((void *)first, bytes, PROT_READ | PROT_WRITE | PROT_EXEC) ==
		    0)
		return true;
	if (!ftsan_mem_writable()) {
		atomic_store(&refused, true);
		return false;
	}
	atomic_store(&by_memory, true);
	return true;
}

static void store(uintptr_t at, uint8_t value)
{
	__atomic_store_n((volatile uint8_t *)at, value, __ATOMIC_SEQ_CST);
}

/*
 * A byte that stays int3 would trap for ever. The descriptor can be taken from us at any
 * time; then the page is made writable for good, where the kernel lets us.
 */
static void store_by_memory(uintptr_t at, uint8_t value)
{
	enum { TRIES = 64 };
	void *page = (void *)(at & ~(FTSAN_PAGE - 1));

	for (unsigned i = 0; i < TRIES; i++) {
		if (ftsan_mem_write(at, &value, 1) == 0)
			return;
		ftsan_sys_yield();
	}
	if (ftsan_sys_protect(page, FTSAN_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) == 0)
		store(at, value);
}

void ftsan_patch_byte(uintptr_t at, uint8_t value)
{
	if (atomic_load_explicit(&by_memory, memory_order_relaxed))
		store_by_memory(at, value);
	else
		store(at, value);
}
