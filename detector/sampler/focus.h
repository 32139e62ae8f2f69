/*
 * The two instructions of a finding, to see it again: only they are armed then. Private
 * to the room.
 *
 * They are told as NAME@BUILD+OFFSET[,...]: the module's file without what follows its
 * first dot, the beginning of its build-id, the offset from its load bias. Of another
 * build of the module the instructions are not known: all of it is armed, because a fixed
 * module in which nothing is armed would look fixed in any case.
 */
#ifndef FTSAN_SAMPLER_FOCUS_H
#define FTSAN_SAMPLER_FOCUS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "sampler/site.h"

/* @option: borrowed, must stay; "": no focus. Context: start-up. */
void ftsan_focus_init(const char *option);
bool ftsan_focus_on(void);

/**
 * ftsan_focus_next() - the sites of a module that are meant, one after the other
 * @at: 0 at first; where to go on
 * @whole: set when all of the module is meant
 *
 * Return: NULL: no further one.
 */
struct ftsan_sample_site *ftsan_focus_next(const struct ftsan_sample_module *module,
					   uint32_t *at, bool *whole);

/* Puts the name of the site that begins at @pc, if one does. Async-signal-safe. */
bool ftsan_focus_put(struct ftsan_buf *out, uintptr_t pc);

#endif
