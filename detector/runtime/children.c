#include "runtime/children.h"

#include <stdatomic.h>
#include <string.h>

#include "base/base.h"

enum { NAMED = 8, NAME = 32 };

/* struct lost - @ready: @name is written */
struct lost {
	_Atomic bool ready;
	char name[NAME];
};

static struct lost lost[NAMED];
static _Atomic uint32_t n_lost;

void ftsan_child_lost(const char *path)
{
	const char *name = ftsan_str_base_name(path);
	uint32_t number = atomic_fetch_add_explicit(&n_lost, 1, memory_order_relaxed);

	if (number >= NAMED)
		return;
	ftsan_str_copy(lost[number].name, NAME, name, strnlen(name, NAME));
	atomic_store_explicit(&lost[number].ready, true, memory_order_release);
}

void ftsan_record_children(struct ftsan_buf *line)
{
	uint32_t n = atomic_load_explicit(&n_lost, memory_order_relaxed);
	bool first = true;

	if (n == 0)
		return;
	ftsan_buf_str(line, ",\"children_lost\":{\"n\":");
	ftsan_buf_u64(line, n);
	ftsan_buf_str(line, ",\"some\":[");
	for (uint32_t i = 0; i < n && i < NAMED; i++) {
		if (!atomic_load_explicit(&lost[i].ready, memory_order_acquire))
			continue;
		ftsan_buf_str(line, first ? "" : ",");
		ftsan_buf_json(line, lost[i].name);
		first = false;
	}
	ftsan_buf_str(line, "]}");
}

void ftsan_children_fork_child(void)
{
	for (uint32_t i = 0; i < NAMED; i++)
		atomic_store_explicit(&lost[i].ready, false, memory_order_relaxed);
	atomic_store_explicit(&n_lost, 0, memory_order_relaxed);
}
