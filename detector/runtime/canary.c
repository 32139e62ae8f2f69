#include "runtime/canary.h"

#include "base/base.h"
#include "pages/pages.h"

const struct ftsan_adapter ftsan_adapter_canary = {.name = "canary"};

/* In assembly, so that its bounds are known. */
__asm__(".text\n"
	".p2align 4\n"
	".local ftsan_canary_store\n"
	".local ftsan_canary_end\n"
	".type ftsan_canary_store, @function\n"
	"ftsan_canary_store:\n" /* rdi = to, rsi = value */
	".cfi_startproc\n"
	"	movq %rsi, (%rdi)\n"
	"	ret\n"
	"ftsan_canary_end:\n"
	".cfi_endproc\n"
	".size ftsan_canary_store, . - ftsan_canary_store\n");

void ftsan_canary_store(volatile uint64_t *to, uint64_t value)
	__attribute__((visibility("hidden")));
extern const char ftsan_canary_end[] __attribute__((visibility("hidden")));

uintptr_t ftsan_canary_text(uintptr_t *end)
{
	*end = (uintptr_t)ftsan_canary_end;
	return (uintptr_t)ftsan_canary_store;
}

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
