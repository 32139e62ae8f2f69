/*
 * The room of starting other programs: with which options and which environment, as the
 * command under test, or to ask them a question.
 *
 * May use: common, and the option table of detector/base.
 */
#ifndef FTSAN_TOOLS_LAUNCH_H
#define FTSAN_TOOLS_LAUNCH_H

#include "launch/capture.h"
#include "launch/child.h"
#include "launch/environment.h"
#include "launch/loadable.h"
#include "launch/project.h"

#endif
