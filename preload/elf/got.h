/*
 * Import slots of loaded objects.
 *
 * LD_PRELOAD does not reach calls that bind to the executable's own definitions, so the
 * slots themselves (JUMP_SLOT and GLOB_DAT relocations) are pointed at our wrappers.
 * Pointers in data (absolute relocations) are left alone: they are values of the program,
 * which may compare them, copy them, or have stored them elsewhere already.
 */
#ifndef FTSAN_PRELOAD_GOT_H
#define FTSAN_PRELOAD_GOT_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct ftsan_got_hook - one function to redirect
 * @name:        the symbol
 * @original:    what a slot must resolve to for being changed; 0: never changed
 * @replacement: what it gets
 * @exported:    an interposing symbol that leads to @replacement as well; 0 if none
 */
struct ftsan_got_hook {
	const char *name;
	uintptr_t original;
	uintptr_t replacement;
	uintptr_t exported;
};

enum { FTSAN_GOT_MAX = 64 };

/**
 * struct ftsan_got - redirections of this process
 * @hooks:    @n_hooks entries, at most FTSAN_GOT_MAX; borrowed
 * @counts:   objects in which each hook is bound; borrowed, written while patching
 * @adds, @subs: the loader's counters at the last walk
 * @n_seen:   objects, in the loader's order, that need no second look
 * @foreign:  slots that belong to somebody else's interposer and were left alone
 * @failed:   slots on pages that could not be made writable
 * @attached: calls of dlopen may be under way that know nothing of us: objects whose
 *            relro pages are not read-only yet are being relocated, and left alone
 * @busy:     such objects at the last walk
 * @skip:     an address in an object that is left alone, NULL: none
 */
struct ftsan_got {
	const struct ftsan_got_hook *hooks;
	unsigned n_hooks;
	_Atomic uint32_t *counts;
	uint64_t adds, subs;
	unsigned n_seen;
	uint32_t foreign;
	uint32_t failed;
	bool attached;
	unsigned busy;
	const void *skip;
};

/**
 * ftsan_got_update() - redirect the imports of objects loaded since the last call
 *
 * A slot is written only if it holds the original or is a lazy stub that was not
 * resolved yet. Page protection is put back exactly as the loader left it.
 *
 * Context: normal context; one caller at a time, and none while another thread is
 *          inside dlopen: an object that is being relocated must not be touched
 *          (@attached finds out).
 * Return:  true if objects came or went.
 */
bool ftsan_got_update(struct ftsan_got *got);

/* Forgets what was seen: the next update looks at every object. */
void ftsan_got_forget(struct ftsan_got *got);

/* Gives every slot of ours its original back, but for the hooks (bits by number) in
 * @keep. Same context. */
void ftsan_got_restore(struct ftsan_got *got, uint64_t keep);

/**
 * ftsan_got_redirect() - one function, in one object only
 * @inside: an address within the object
 * @hook:   as above
 *
 * Return: slots written.
 */
unsigned ftsan_got_redirect(const void *inside, const struct ftsan_got_hook *hook);

#endif
