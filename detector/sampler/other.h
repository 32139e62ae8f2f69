/* What the other thread's access was: which instruction, which bytes. Private. */
#ifndef FTSAN_SAMPLER_OTHER_H
#define FTSAN_SAMPLER_OTHER_H

#include <stdbool.h>
#include <stdint.h>

#include "sampler/held.h"
#include "sampler/site.h"

/**
 * ftsan_other_learn() - fill in the other's access and side
 * @ucontext: registers after the access
 *
 * By the sites where it was one of those, else by the code before the thread.
 *
 * Context: SIGTRAP handler. Return: false: the watchpoint was hit by an instruction that
 * leaves the bytes alone.
 */
bool ftsan_other_learn(struct ftsan_hold *hold, const void *ucontext);

/* The same of who has come to a site, and is about to make the access. */
void ftsan_other_learn_site(struct ftsan_hold *hold, const struct ftsan_access *access,
			    const struct ftsan_sampled_side *side, const void *ucontext);

/* The address of a site's operand by these registers; 0: not to be told. */
uintptr_t ftsan_site_operand(const struct ftsan_sample_module *module,
			     const struct ftsan_sample_site *site, const void *ucontext);

/* What the rules are to know of the access of a site. */
void ftsan_site_side(struct ftsan_sampled_side *side,
		     const struct ftsan_sample_module *module,
		     const struct ftsan_sample_site *site, uintptr_t address);

/* What the rules are to know of an access at @pc outside of the sites. */
void ftsan_hold_side_elsewhere(struct ftsan_sampled_side *side, uintptr_t pc);
/*
 * Notes whether a store that is about to be made by these registers is of the value
 * @there, which the word of @size bytes holds.
 */
void ftsan_side_note_store(struct ftsan_sampled_side *side,
			   const struct ftsan_access *access, uint64_t there,
			   uint8_t size, const void *ucontext);

/*
 * Notes of the site where the thread is whether its store puts another value in the place
 * of one, in the object at @begin, which is not this thread's alone
 * (ftsan_words_varies()). A zero is what a new object is full of.
 */
void ftsan_side_note_varies(const struct ftsan_sampled_side *side,
			    const struct ftsan_access *access, uintptr_t begin,
			    const void *ucontext);

/* The same of a store that is longer than the word; @there: what all of it covers. */
void ftsan_side_note_wide(struct ftsan_sampled_side *side,
			  const struct ftsan_access *access, const void *there,
			  const void *ucontext);

/* Notes whether the store of the site at @pc is made of what was loaded from the word. */
void ftsan_side_note_update(struct ftsan_sampled_side *side, uintptr_t pc);

/* Notes whether what the site at @pc loads is looked at for being NULL only. */
void ftsan_side_note_test(struct ftsan_sampled_side *side, uintptr_t pc);

/* Notes which bits of what the site at @pc loads are used. @ucontext: registers at the
 * load, or right behind it. */
void ftsan_side_note_mask(struct ftsan_sampled_side *side, uintptr_t pc,
			  const void *ucontext);

#endif
