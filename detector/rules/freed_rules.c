#include "rules/freed_rules.h"

#include <string.h>

bool ftsan_freed_mode(const char *text, enum ftsan_freed_mode *mode)
{
	static const char *const names[] = {
		[FTSAN_FREED_OFF] = "off",
		[FTSAN_FREED_AUTO] = "auto",
		[FTSAN_FREED_OWN] = "own",
		[FTSAN_FREED_ALL] = "all",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		*mode = (enum ftsan_freed_mode)i;
		return true;
	}
	return false;
}

uint32_t ftsan_freed_most(enum ftsan_freed_mode mode)
{
	switch (mode) {
	case FTSAN_FREED_AUTO:
		return 1024;
	case FTSAN_FREED_ALL:
		return 2048;
	default:
		return 16384;
	}
}

/* 1 for up to @few keys, then so many as there are times as many. */
static uint64_t crowd_of(unsigned keys, unsigned few)
{
	enum { MOST = 16 };
	unsigned crowd = keys / few;

	return crowd < 1 ? 1 : crowd > MOST ? MOST : crowd;
}

unsigned ftsan_freed_next_interval(unsigned interval, uint64_t ns, unsigned keys)
{
	/* Between 250 and 1,000 a second: more than a thread has room for in the time
	 * after which most uses of freed memory come. */
	enum { LEAST_MS = 256, MOST_MS = 1024, FEW_KEYS = 8 };

	ns /= crowd_of(keys, FEW_KEYS);
	if (ns < LEAST_MS * UINT64_C(1000000))
		return interval + 1 < FTSAN_FREED_INTERVALS ? interval + 1 : interval;
	if (ns > MOST_MS * UINT64_C(1000000))
		return interval > 0 ? interval - 1 : 0;
	return interval;
}

static bool is_extensions(const struct ftsan_freed_facts *facts)
{
	return facts->own_call || facts->own_type;
}

enum ftsan_freed_answer ftsan_freed_judge(const struct ftsan_freed_facts *facts)
{
	/* A block is held for as long as nobody may have it. */
	if (facts->held)
		return FTSAN_FREED_TWICE;
	/* To hold one is to release those that have been held for longest. */
	if (facts->detached)
		return FTSAN_FREED_PASS;
	if (facts->bytes < 8 || facts->bytes > FTSAN_FREED_BLOCK_MAX)
		return FTSAN_FREED_PASS;
	switch (facts->mode) {
	case FTSAN_FREED_ALL:
		return FTSAN_FREED_KEEP;
	case FTSAN_FREED_OWN:
		return is_extensions(facts) ? FTSAN_FREED_KEEP : FTSAN_FREED_PASS;
	case FTSAN_FREED_AUTO:
		return is_extensions(facts) &&
				       (facts->before < FTSAN_FREED_FEW || facts->turn)
			       ? FTSAN_FREED_KEEP
			       : FTSAN_FREED_PASS;
	default:
		return FTSAN_FREED_PASS;
	}
}

unsigned ftsan_freed_spans(uint32_t bytes, int object, uint32_t type,
			   struct ftsan_freed_span *spans)
{
	uint32_t end = bytes & ~7u, head;

	if (object < 0) {
		spans[0] = (struct ftsan_freed_span){0, end};
		return end > 0 ? 1 : 0;
	}
	head = (uint32_t)object + type;
	if (end < head + 8)
		return 0;
	/* What precedes the object, and the word of its owner. */
	spans[0] = (struct ftsan_freed_span){0, (uint32_t)object + 8};
	spans[1] = (struct ftsan_freed_span){head, end};
	return 2;
}
