/*
 * The room of what has nothing to do with detecting: system calls without libc, reads
 * that can't crash, text in buffers of fixed size, options, counters.
 *
 * May use: nothing.
 * Held: nothing. All of it may be called in a handler, but where it says otherwise.
 */
#ifndef FTSAN_BASE_ROOM_H
#define FTSAN_BASE_ROOM_H

#include "base/annot.h"
#include "base/beat.h"
#include "base/context.h"
#include "base/counters.h"
#include "base/cpu.h"
#include "base/fd.h"
#include "base/fmt.h"
#include "base/hang.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/module_path.h"
#include "base/options.h"
#include "base/safe_read.h"
#include "base/str.h"
#include "base/sys.h"
#include "base/ticks.h"
#include "base/tls.h"

#endif
