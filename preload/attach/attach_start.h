/* The start of everything in a process that runs already, and its end. */
#ifndef FTSAN_PRELOAD_ATTACH_START_H
#define FTSAN_PRELOAD_ATTACH_START_H

struct ftsan_buf;

/**
 * ftsan_attach_start() - become active in a process that runs already
 * @text:   options as FTSAN_OPTIONS has them; the process's own are not read
 * @run_id: copied
 * @gil:    state of the GIL, "on", "off" or NULL
 * @why:    gets a sentence when it fails
 *
 * Everything works then but what CPython has loaded already (attach_python.h), and
 * nothing is guarded: see ftsan_runtime_halt().
 *
 * Context: normal context of a thread of ours, one at a time. Return: 0 or -errno,
 * nothing left behind.
 */
int ftsan_attach_start(const char *text, const char *run_id, const char *gil,
		       struct ftsan_buf *why);

/* Everything is hooked: the scout may begin. */
void ftsan_attach_ready(void);

/**
 * ftsan_attach_stop() - undo it
 * @why: gets a sentence when it fails, and when something stays
 *
 * What was hooked in CPython's data is restored already. Context: as above.
 * Return: 0; -EBUSY: something does not let go, ftsan still watches.
 */
int ftsan_attach_stop(struct ftsan_buf *why);

#endif
