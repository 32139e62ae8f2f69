/*
 * The room of where a thread is: its native and Python stacks, the layouts of the
 * interpreter that they are read by, modules and their symbols.
 *
 * May use: base.
 * Held: while a stack is captured, libunwind's and the loader's locks, so whoever
 * captures holds none of ours. Nothing otherwise.
 */
#ifndef FTSAN_STACKS_ROOM_H
#define FTSAN_STACKS_ROOM_H

#include "stacks/alloc_site.h"
#include "stacks/elf_file.h"
#include "stacks/functions.h"
#include "stacks/modules.h"
#include "stacks/pyabi.h"
#include "stacks/pyoperands.h"
#include "stacks/pyquick.h"
#include "stacks/pytext.h"
#include "stacks/stack.h"
#include "stacks/symbols.h"

#endif
