/*
 * Sweeps kept on disk, because a megabyte of text takes 30 ms. Private to the room.
 *
 * A file holds the sites of one object, named by its build-id (or, where it has none, by
 * what the kernel says of its file). It is believed only if it is whole and every site
 * has the byte that the text has: an int3 in the middle of an instruction would be the
 * end of the program. A folder or file of somebody else's is left alone.
 *
 * Context of everything: normal context; raw system calls, no allocation but mappings.
 */
#ifndef FTSAN_SAMPLER_CACHE_H
#define FTSAN_SAMPLER_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "sampler/site.h"
#include "sampler/sweep.h"

/* @directory: borrowed, must stay; NULL or "": nothing is kept. Made when it is needed.
 */
void ftsan_cache_init(const char *directory);

/*
 * The sites of an object, as ftsan_sweep() would have found them. Return: false: they are
 * not there.
 */
bool ftsan_cache_load(const struct ftsan_module *module, const struct ftsan_image *image,
		      struct ftsan_sample_site **sites, uint32_t *n_sites,
		      struct ftsan_sample_traits *traits);

/* Keeps what a sweep has found; all sites are UNARMED. Failure costs the next sweep. */
void ftsan_cache_store(const struct ftsan_module *module, const struct ftsan_image *image,
		       const struct ftsan_sample_site *sites, uint32_t n_sites,
		       const struct ftsan_sample_traits *traits);

#endif
