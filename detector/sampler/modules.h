/*
 * Which modules are sampled, and the table of them. Private to the room.
 *
 * One thread at a time changes the table (ftsan_modules_sample()); handlers read it
 * without a lock: an entry says READY last and FREE first, and its sites are never
 * unmapped.
 */
#ifndef FTSAN_SAMPLER_MODULES_H
#define FTSAN_SAMPLER_MODULES_H

#include <stdbool.h>
#include <stdint.h>

#include "sampler/site.h"

enum { FTSAN_SAMPLED_MAX = 512 };

/**
 * ftsan_modules_sample() - take notice of modules that were loaded or are gone
 * @choice: option
 * @interpreter: the module that holds CPython
 * @only:   look at no other one; NULL: at all of them
 * @made:   called for each that is new and chosen, before handlers can see it; false: it
 *          can't be sampled
 *
 * Context: normal context, one caller at a time, loader's lock free to take.
 * Return: how many are new.
 */
unsigned ftsan_modules_sample(int (*iterate)(ftsan_phdr_callback, void *),
			      const char *choice, const struct ftsan_module *interpreter,
			      const struct ftsan_module *only,
			      bool (*made)(struct ftsan_sample_module *module));

/* Forgets those whose text @is_loaded denies. Context: as above. */
void ftsan_modules_unloaded(bool (*is_loaded)(uintptr_t address));

/* The module whose text holds @pc, NULL: none. Async-signal-safe. */
struct ftsan_sample_module *ftsan_sample_module_of(uintptr_t pc);

/* Entry @i of the table, NULL past its end or when it is not READY. */
struct ftsan_sample_module *ftsan_sample_module_at(unsigned i);
unsigned ftsan_sample_modules(void);

/* The site that begins at @pc; NULL: none. Async-signal-safe. */
struct ftsan_sample_site *ftsan_sample_site_at(const struct ftsan_sample_module *module,
					       uintptr_t pc);

/* For decode/text.h: bytes of a copy of the text as they were before anything was armed.
 */
void ftsan_sample_restore(uintptr_t at, unsigned char *code, size_t n);

/* The last site that begins before @pc; NULL: none. */
struct ftsan_sample_site *
ftsan_sample_site_before(const struct ftsan_sample_module *module, uintptr_t pc);

#endif
