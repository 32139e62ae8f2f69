/*
 * The room of the log as a file of lines and records: where it is, its lines while it is
 * written and afterwards, a look at a line, the record in it. It adds nothing up.
 *
 * May use: common, and the finding as detector/view has it.
 */
#ifndef FTSAN_TOOLS_LOG_H
#define FTSAN_TOOLS_LOG_H

#include "log/input.h"
#include "log/log_file.h"
#include "log/log_reader.h"
#include "log/log_store.h"
#include "log/member.h"
#include "log/skim.h"
#include "log/tail.h"

#endif
