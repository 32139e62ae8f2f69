/*
 * The room of names for addresses: source lines, inlined calls and C++ names, from the
 * modules' files and their debug information.
 *
 * May use: common, and frames as detector/view has them.
 */
#ifndef FTSAN_TOOLS_SYMBOLS_H
#define FTSAN_TOOLS_SYMBOLS_H

#include "symbols/demangle.h"
#include "symbols/symbolize.h"

#endif
