/*
 * One report is made at a time, and nothing interrupts it.
 *
 * Context of everything: any thread, handlers included; async-signal-safe.
 */
#ifndef FTSAN_REPORT_TURN_H
#define FTSAN_REPORT_TURN_H

#include <stdbool.h>
#include <stdint.h>

/**
 * ftsan_report_turn_take() - wait for the turn, and block all signals but SIGSEGV and
 * SIGBUS
 * @mask: gets the signals that were blocked before
 *
 * Return: false when the calling thread has it already, or got none in time.
 */
bool ftsan_report_turn_take(uint64_t *mask);
void ftsan_report_turn_drop(const uint64_t *mask);

/* Around fork(): nobody makes a report meanwhile, and the child begins without one. */
void ftsan_report_turn_fork_prepare(void);
void ftsan_report_turn_fork_parent(void);
void ftsan_report_turn_fork_child(void);

#endif
