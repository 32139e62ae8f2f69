/*
 * Functions of the interpreter that are never armed: handlers and hooks of ours call
 * them, and would meet a trap of ours in there. Private to the room.
 */
#ifndef FTSAN_SAMPLER_SPARE_H
#define FTSAN_SAMPLER_SPARE_H

#include <stdbool.h>
#include <stdint.h>

struct ftsan_sample_module;

/**
 * ftsan_spare_find() - find every instruction that a call of these can come to
 * @functions: @n addresses, 0: none. What they call in other modules is not followed
 *
 * Context: start-up, before anything is armed. Return: false: some of it can't be
 * followed, so that their module can't be sampled.
 */
bool ftsan_spare_find(const uintptr_t *functions, unsigned n);

/* Takes what was found out of the module's sites. Context: as long as nobody sees it. */
void ftsan_spare_sites(struct ftsan_sample_module *module);

#endif
