/*
 * The room of operations: what each thread is doing to which arrays, which calls are
 * watched, and what a store means inside of one. What is done for the headers of arrays
 * it is told at start (struct ftsan_operation_host).
 *
 * May use: base, rules, budget, stacks, threads, findings, pages, words.
 * Held: the buffers of a watched operation are sealed as long as it lasts.
 */
#ifndef FTSAN_OPERATIONS_ROOM_H
#define FTSAN_OPERATIONS_ROOM_H

#include "operations/fresh.h"
#include "operations/hazard.h"
#include "operations/operation.h"

#endif
