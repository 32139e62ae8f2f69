/*
 * The room of the start: whether this process is one of ours, what it is given then, in
 * which order everything comes to life, and the names that libftsan.so exports. It
 * provides what lower rooms have asked for (elf/hook_dl.h).
 *
 * May use: every room but attach. The constructor runs before main, with the loader's
 * lock.
 */
#ifndef FTSAN_PRELOAD_START_H
#define FTSAN_PRELOAD_START_H

#include <stdbool.h>

#include "start/host.h"

/* Whether to become active is decided once in a process, unless it is attached to.
 * Return: it was decided before. */
bool ftsan_start_decide(void);

#endif
