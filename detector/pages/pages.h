/*
 * The room of guarded buffers: on pages of their own, sealed once a second thread can see
 * them, so that the processor reports every store to them. Which kinds there are, and
 * what the operations know, the room is told at start (struct ftsan_guard_host).
 *
 * May use: base, rules, budget, decode, stacks, threads, findings.
 * Held: a pin of the slot that a handler looks at, and the window that a thread owns from
 * a trapped store until that is done. Who owns a window never waits for another's.
 */
#ifndef FTSAN_PAGES_ROOM_H
#define FTSAN_PAGES_ROOM_H

#include "pages/adapter.h"
#include "pages/guard.h"
#include "pages/guard_config.h"
#include "pages/guard_skip.h"
#include "pages/guard_threads.h"
#include "pages/hold.h"
#include "pages/publish.h"
#include "pages/seal.h"
#include "pages/slot.h"
#include "pages/slot_tell.h"
#include "pages/trap.h"
#include "pages/trapped_store.h"

#endif
