#include "decode/text.h"

#include <stdatomic.h>
#include <string.h>

#include "base/base.h"

/* Written at start-up, before anything is patched. */
static _Atomic ftsan_text_restore restore_by;

void ftsan_text_patched_by(ftsan_text_restore restore)
{
	atomic_store_explicit(&restore_by, restore, memory_order_release);
}

static void restore(uintptr_t at, unsigned char *code, size_t n)
{
	ftsan_text_restore by = atomic_load_explicit(&restore_by, memory_order_acquire);

	/* Looking for the byte is cheaper than looking for the module. */
	if (by != NULL && memchr(code, FTSAN_CPU_BREAKPOINT, n) != NULL)
		by(at, code, n);
}

size_t ftsan_text_read(unsigned char *code, uintptr_t at, size_t n)
{
	size_t on_page = FTSAN_PAGE - at % FTSAN_PAGE;

	if (ftsan_safe_read(code, (const void *)at, n) != 0) {
		if (on_page >= n || ftsan_safe_read(code, (const void *)at, on_page) != 0)
			return 0;
		n = on_page;
	}
	restore(at, code, n);
	return n;
}

size_t ftsan_text_read_before(unsigned char *code, uintptr_t end, size_t n)
{
	size_t on_page = end % FTSAN_PAGE;

	if (ftsan_safe_read(code, (const void *)(end - n), n) != 0) {
		if (on_page >= n ||
		    ftsan_safe_read(code, (const void *)(end - on_page), on_page) != 0)
			return 0;
		n = on_page;
	}
	restore(end - n, code, n);
	return n;
}
