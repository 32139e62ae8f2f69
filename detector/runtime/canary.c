#include "runtime/canary.h"

#include "base/base.h"
#include "pages/pages.h"
#include "runtime/canary_store.h"

const struct ftsan_adapter ftsan_adapter_canary = {.name = "canary"};

bool ftsan_canary_run(void)
{
	const struct ftsan_alloc_site nowhere = {0};
	volatile uint64_t *word =
		ftsan_guard_alloc(FTSAN_ADAPTER_CANARY, sizeof(*word), 0, &nowhere);
	uint64_t other;
	bool caught;

	if (word == NULL)
		return false;
	other = *word + 1;
	if (ftsan_guard_publish((const void *)word)) {
		ftsan_canary_store(word, other);
		caught = ftsan_counted(traps) == 1 && *word == other;
	} else {
		caught = false;
	}
	ftsan_guard_free((void *)word);
	/* The coverage record speaks of the program's buffers only. */
	ftsan_thread_counts_reset();
	ftsan_counters_reset();
	return caught;
}
