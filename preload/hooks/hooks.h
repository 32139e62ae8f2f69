/*
 * The room at the bottom: every function that ftsan stands in for (table.def, the only
 * place that adds names), the originals behind them, whether a wrapper has anything to do
 * in this process, and a lock that wrappers may take.
 *
 * May use: the detector. A thread holds nothing while it is in here.
 */
#ifndef FTSAN_PRELOAD_HOOKS_H
#define FTSAN_PRELOAD_HOOKS_H

#include "hooks/glibc.h"
#include "hooks/lock.h"
#include "hooks/real.h"
#include "hooks/state.h"
#include "hooks/table.h"

#endif
