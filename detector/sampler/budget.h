/* How many hits and delays there may be, by the clock of effort. Private to the room. */
#ifndef FTSAN_SAMPLER_BUDGET_H
#define FTSAN_SAMPLER_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/rules.h"
#include "sampler/arm.h"

/*
 * @rate: delays a second; @percent: of all threads' run time; @interpreter: its code is
 * sampled, of which every thread runs so much at first that a program which dies soon has
 * many more delays at its start. Context: start-up.
 */
void ftsan_budget_init(uint32_t rate, uint32_t percent, bool interpreter);
/* The second thread comes: the clock begins. */
void ftsan_budget_start(void);

/* Could the access be worth a delay, as far as @question goes? Fills in its tokens. */
bool ftsan_budget_may(struct ftsan_delay_question *question);
/* Is it? Then a token is gone. */
bool ftsan_budget_take(struct ftsan_delay_question *question);

/* What a delay took: aiming and resting the watch, and waiting. */
void ftsan_budget_spent(uint64_t arm_ns, uint64_t wait_ns);

/* How many sites may be armed again since the last call. Context: the scout. */
struct ftsan_turns ftsan_budget_turns(void);

#endif
