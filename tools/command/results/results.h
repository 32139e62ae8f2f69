/*
 * The room of what logs add up to: the session with its distinct findings, each of them
 * symbolized and judged, and the closing words.
 *
 * May use: common, log, symbols, suppressions.
 */
#ifndef FTSAN_TOOLS_RESULTS_H
#define FTSAN_TOOLS_RESULTS_H

#include "results/brief.h"
#include "results/explain.h"
#include "results/fold.h"
#include "results/module_coverage.h"
#include "results/order.h"
#include "results/printer.h"
#include "results/resolve.h"
#include "results/session.h"
#include "results/session_found.h"
#include "results/session_same.h"
#include "results/source_line.h"
#include "results/summary.h"
#include "results/verdict.h"

#endif
