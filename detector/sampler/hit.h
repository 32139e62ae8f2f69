/*
 * A thread has come to an armed site: is it held there, and what came of it. Private to
 * the room.
 */
#ifndef FTSAN_SAMPLER_HIT_H
#define FTSAN_SAMPLER_HIT_H

#include <stdbool.h>
#include <stdint.h>

/* How long a thread is held; PyCode_Type, 0: not known. Context: start-up. */
void ftsan_hit_init(uint32_t delay_us, uintptr_t code_type);

/**
 * ftsan_hit_int3() - a breakpoint was hit
 * @active: false: the byte goes back, and nothing else happens
 *
 * Context: SIGTRAP handler. Return: it was a site's; the thread's instruction is the next
 * to run.
 */
bool ftsan_hit_int3(void *ucontext, bool active);

#endif
