#include "threads/gil.h"

#include <stdatomic.h>
#include <string.h>

#include "base/base.h"

/* Written under the interpreter's import lock of that module, or by one thread at a time
 * for all that matters; a torn name in a summary is the worst that can happen. */
static char names[FTSAN_GIL_REQUESTS_MAX][FTSAN_GIL_NAME_MAX];
static _Atomic unsigned count;

void ftsan_gil_note_request(const char *name)
{
	unsigned n = atomic_load_explicit(&count, memory_order_acquire);
	struct ftsan_buf buf;

	for (unsigned i = 0; i < n; i++)
		if (strncmp(names[i], name, FTSAN_GIL_NAME_MAX - 1) == 0)
			return;
	if (n == FTSAN_GIL_REQUESTS_MAX)
		return;
	ftsan_buf_init(&buf, names[n], sizeof(names[n]));
	ftsan_buf_str(&buf, name);
	(void)ftsan_buf_cstr(&buf);
	atomic_store_explicit(&count, n + 1, memory_order_release);
}

void ftsan_gil_withdraw(const char *name)
{
	unsigned n = atomic_load_explicit(&count, memory_order_acquire);

	if (n > 0 && strncmp(names[n - 1], name, FTSAN_GIL_NAME_MAX - 1) == 0)
		atomic_store_explicit(&count, n - 1, memory_order_release);
}

unsigned ftsan_gil_requests(void)
{
	return atomic_load_explicit(&count, memory_order_acquire);
}

const char *ftsan_gil_request(unsigned index)
{
	return names[index];
}
