/*
 * The room of what every command needs: its own messages and exit statuses, memory that
 * is there or ends the command, texts of strangers made harmless, sets of names, the
 * command lines of those that take little.
 *
 * May use: detector/base.
 */
#ifndef FTSAN_TOOLS_COMMON_H
#define FTSAN_TOOLS_COMMON_H

#include "common/clock.h"
#include "common/escape.h"
#include "common/hazards.h"
#include "common/json_set.h"
#include "common/message.h"
#include "common/names.h"
#include "common/output.h"
#include "common/pattern.h"
#include "common/plural.h"
#include "common/regular.h"
#include "common/simple_request.h"
#include "common/xmemory.h"

#endif
