/*
 * The beat: something that is to be done every second or so, asked for from where the
 * program passes often. The scout does it where there is one; this is for processes with
 * a single thread, which have none.
 */
#ifndef FTSAN_BASE_BEAT_H
#define FTSAN_BASE_BEAT_H

#include <stddef.h>

#include "base/annot.h"

/* NULL: nobody wants to be told. */
extern FTSAN_HIDDEN void (*ftsan_beat)(void);

/* Context: start-up. @beat: looks at the clock first. */
void ftsan_beat_set(void (*beat)(void));

enum { FTSAN_BEAT_CALLS = 256 }; /* so many calls to one look at the clock */

/* Context: normal context, no lock of ours held. @calls: a count of the caller's. */
static inline void ftsan_beat_at(unsigned calls)
{
	if (FTSAN_UNLIKELY(calls % FTSAN_BEAT_CALLS == 0) && ftsan_beat != NULL)
		ftsan_beat();
}

#endif
