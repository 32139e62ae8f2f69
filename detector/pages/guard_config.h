/* What the guarded-buffer engine goes by, and what it is told by those above it. */
#ifndef FTSAN_GUARD_CONFIG_H
#define FTSAN_GUARD_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "pages/adapter.h"
#include "pages/trapped_store.h"

struct ftsan_thread;

/**
 * struct ftsan_guard_host - what the engine does not know by itself
 * @adapters: the kinds of buffers, by enum ftsan_adapter_id; none is NULL
 * @freeing:  which operation of the calling thread was given the object of this buffer,
 * and so has it freed? Its identity, NULL: none. Normal context. May be NULL
 * @on_store: a store has trapped, and is performed afterwards; the slot is pinned. The
 *            SIGSEGV handler. May be NULL
 * @own_begin, @own_end: stores from there are ftsan's own and never findings, but for
 * @canary_begin, @canary_end: those of the proof of life
 */
struct ftsan_guard_host {
	const struct ftsan_adapter *adapters[FTSAN_ADAPTERS];
	const void *(*freeing)(const struct ftsan_thread *thread, uintptr_t buffer);
	void (*on_store)(struct ftsan_thread *thread,
			 const struct ftsan_trapped_store *store, const void *ucontext);
	uintptr_t own_begin, own_end;
	uintptr_t canary_begin, canary_end;
};

/* What the engines go by; constant after ftsan_guard_init(). */
struct ftsan_guard_config {
	uint32_t slots;
	uint32_t fragments;
	uint32_t quarantine;
	uint32_t tick_us;
	uint64_t window_ns;
	uint32_t windows_per_object;
	uint32_t windows_per_site;
	uint32_t window_budget_percent;
	bool heal;
	bool aged[FTSAN_ADAPTERS];	      /* published once old enough */
	uint32_t short_lived[FTSAN_ADAPTERS]; /* limits of short_lived.h */
};

extern FTSAN_HIDDEN struct ftsan_guard_config ftsan_guard_config;
/* Each set once at start; an attach that follows a detach sets them to the same. */
extern FTSAN_HIDDEN const struct ftsan_guard_host *ftsan_guard_host;
extern FTSAN_HIDDEN bool ftsan_guard_is_ready;

/* Is there an arena? */
static inline bool ftsan_guard_ready(void)
{
	return ftsan_guard_is_ready;
}

/* The kind of a slot's buffer. */
const struct ftsan_adapter *ftsan_adapter_of(uint32_t slot);

/* Does the object of the slot point at the buffer now? Context: as of the adapter's. */
bool ftsan_adapter_bound(uint32_t slot);

#endif
