/*
 * The room of the locks that threads hold: each thread's own list, by the lock's address
 * and with the place where it was taken. Hooks fill it.
 *
 * May use: threads.
 * Held: nothing.
 */
#ifndef FTSAN_LOCKS_ROOM_H
#define FTSAN_LOCKS_ROOM_H

#include "locks/held.h"

#endif
