/*
 * The room of the threads: a record for each, which of them work on arrays, who asked for
 * the GIL.
 *
 * May use: base, stacks.
 * Held: nothing. A record is its thread's; others look at what is atomic in it.
 */
#ifndef FTSAN_THREADS_ROOM_H
#define FTSAN_THREADS_ROOM_H

#include "threads/gil.h"
#include "threads/thread.h"
#include "threads/workers.h"

#endif
