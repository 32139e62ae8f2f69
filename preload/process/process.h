/*
 * The room of the process: who gets its signals, the stacks they run on, its threads and
 * the one of ours (the scout), what happens at fork, exec and exit.
 *
 * May use: hooks, elf, the detector. What runs in a signal handler says so where it is
 * declared; the lock of signal_actions.c is held with every signal blocked, the scout's
 * for a bounded time.
 */
#ifndef FTSAN_PRELOAD_PROCESS_H
#define FTSAN_PRELOAD_PROCESS_H

#include "process/altstack.h"
#include "process/follow.h"
#include "process/hook_process.h"
#include "process/hook_thread.h"
#include "process/scout.h"
#include "process/signal_bits.h"
#include "process/signal_call.h"
#include "process/signal_deliver.h"
#include "process/signal_end.h"
#include "process/signal_owner.h"
#include "process/thread_count.h"

#endif
