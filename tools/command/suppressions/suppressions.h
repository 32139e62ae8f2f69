/*
 * The room of findings that the user does not want to see: which lines match a finding,
 * and which lines would.
 *
 * May use: common, and the finding as detector/view has it.
 */
#ifndef FTSAN_TOOLS_SUPPRESSIONS_H
#define FTSAN_TOOLS_SUPPRESSIONS_H

#include "suppressions/suppress.h"

#endif
