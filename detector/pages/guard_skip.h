/*
 * Which buffers are left out of guarding before anything else is done for them. Inline,
 * because every allocation of an array asks.
 */
#ifndef FTSAN_GUARD_SKIP_H
#define FTSAN_GUARD_SKIP_H

#include <stdbool.h>
#include <stdint.h>

#include "pages/guard.h"
#include "pages/pages_thread.h"
#include "pages/publish.h"

/**
 * ftsan_guard_skips() - is a buffer left out, as no second thread uses its like?
 * @pc:    return address of the allocation
 * @instr: ftsan_frame_instr() of the calling thread's frame
 *
 * Context: normal context, any thread.
 * Return:  true: it is (and that is counted). false: ftsan_guard_alloc() may be asked.
 */
static inline bool ftsan_guard_skips(uintptr_t pc, uintptr_t instr)
{
	const struct ftsan_thread *thread = ftsan_thread_mine;
	uint64_t hash = ftsan_site_hash(pc, instr);

	if (FTSAN_UNLIKELY(thread == NULL) ||
	    !ftsan_short_lived_skip(&ftsan_pages_of(thread)->short_lived, hash,
				    ftsan_meetings(ftsan_site_bucket(hash))))
		return false;
	ftsan_own_count(&ftsan_pages_of(thread)->counts.short_lived);
	return true;
}

#endif
