/*
 * Adapters say what is guarded; engines say how. A new library, or a new kind of
 * buffer, is a new adapter and changes no engine.
 */
#ifndef FTSAN_ADAPTER_H
#define FTSAN_ADAPTER_H

#include <stdbool.h>
#include <stdint.h>

#include "findings/findings.h"
#include "rules/rules.h"

enum ftsan_ageing {
	FTSAN_AGES_ALWAYS,
	/* Where races are looked for, in free-threaded builds. Builds with a GIL hand such
	 * buffers from one object to the next, so that nothing may stay sealed. */
	FTSAN_AGES_FOR_RACES,
};

/**
 * struct ftsan_adapter - one kind of buffer
 * @name:     for logs and fingerprints
 * @extent:   what two accesses must share to be a race
 * @undoes:   operations store a value and put the old one back: no window opens while a
 *            buffer deviates (struct ftsan_window_question)
 * @ageing:   when a buffer that is old enough is published
 * @short_lived: the option of that name holds for the sites that make such buffers. False:
 *            every one is guarded
 * @kept:     while crashes are healed freed ones stay in quarantine for good: a reader may
 *            still come, at any time, and die of what it finds
 * @points_at: does the object (0: none is known) really use the buffer now? A buffer that
 *            nobody points at is never published. NULL: always.
 * @describe: fills an ftsan_object for an access at @address
 *
 * Context of both: any thread, async-signal-safe; foreign memory only by
 * ftsan_safe_read(). The slot is pinned, or owned by the caller.
 */
struct ftsan_adapter {
	const char *name;
	enum ftsan_extent extent;
	bool undoes;
	enum ftsan_ageing ageing;
	bool short_lived;
	bool kept;
	bool (*points_at)(uintptr_t object, uintptr_t buffer);
	void (*describe)(uint32_t slot, uintptr_t address, struct ftsan_object *out);
};

enum ftsan_adapter_id {
	FTSAN_ADAPTER_CANARY,
	FTSAN_ADAPTER_NUMPY,
	FTSAN_ADAPTER_CYTHON,
	FTSAN_ADAPTERS,
};

#endif
