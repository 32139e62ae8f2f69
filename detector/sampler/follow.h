/*
 * A loop that runs over the items of an object in which another thread is held at one of
 * them. Where there is no watchpoint, its site traps at whichever item it is at, and is
 * used up when it comes to the held one. So it is followed: the thread makes its access
 * by a single step, and its site is armed again behind it, as long as it comes nearer.
 * Private to the room.
 */
#ifndef FTSAN_SAMPLER_FOLLOW_H
#define FTSAN_SAMPLER_FOLLOW_H

#include <signal.h>
#include <stdbool.h>

#include "sampler/site.h"
#include "threads/threads.h"

/**
 * ftsan_follow() - the thread has come to a site that touches no held word
 * @self, @access, @side: what it is about to do
 *
 * Return: true: it is followed, and steps over the site when the handler returns.
 * Context: SIGTRAP handler, at the site.
 */
bool ftsan_follow(struct ftsan_thread *self, const struct ftsan_access *access,
		  const struct ftsan_sampled_side *side,
		  struct ftsan_sample_module *module, struct ftsan_sample_site *site,
		  void *ucontext);

/* A SIGTRAP: was it the end of such a step? */
bool ftsan_follow_stepped(const siginfo_t *info, void *ucontext);

#endif
