/*
 * The sweep: from a module's unwind tables and text to its sites. Private to the room.
 */
#ifndef FTSAN_SAMPLER_SWEEP_H
#define FTSAN_SAMPLER_SWEEP_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

#include "sampler/site.h"

/**
 * struct ftsan_image - what the sweep needs of a loaded object
 * @bias: load bias
 * @text_begin, @text_end: the executable segment
 * @data_begin, @data_end: what stays writable after relocation; statics elsewhere don't
 *           change
 * @constants_begin, @constants_end: the read-only segment behind the text
 * @read_begin, @read_end: all of it
 * @eh_frame_hdr: PT_GNU_EH_FRAME, NULL when it has none: then nothing is swept
 */
struct ftsan_image {
	uintptr_t bias;
	uintptr_t text_begin, text_end;
	uintptr_t data_begin, data_end;
	uintptr_t constants_begin, constants_end;
	uintptr_t read_begin, read_end;
	const void *eh_frame_hdr;
};

/* False: no executable segment, or more than one. Context: in dl_iterate_phdr. */
bool ftsan_image_read(const struct dl_phdr_info *info, struct ftsan_image *out);

/**
 * ftsan_sweep() - find the sites
 * @image: whose text has its own bytes: nothing is armed yet
 * @sites: gets memory for good; all UNARMED
 *
 * Functions are what the unwind tables say, so that text without any (hand-written
 * assembly) has no sites. One that can't be decoded to its end has none, either.
 *
 * Context: normal context; 30 ms for a megabyte of text. Return: their number.
 */
uint32_t ftsan_sweep(const struct ftsan_image *image, struct ftsan_sample_site **sites,
		     struct ftsan_sample_traits *traits);

/**
 * ftsan_sweep_functions() - where the module's functions begin, by address
 * @eh_frame_hdr: of a module that may be gone; NULL: it has none
 * @from:   so many are left out
 * @begins: gets up to @n addresses
 *
 * Context: any. Return: how many; 0: there are no more.
 */
uint32_t ftsan_sweep_functions(const void *eh_frame_hdr, uint32_t from, uintptr_t *begins,
			       uint32_t n);

#endif
