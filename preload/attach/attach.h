/*
 * The room of coming into a process that runs, and leaving it: what `ftsan attach` and
 * `ftsan detach` have a thread of the program call (docs/attach.md).
 *
 * Both calls return at once: the work is done by a thread of ours, because the thread
 * that was caught may be anywhere. How it went is told in the file that the request
 * names: lines of words, the last of them "done: ..." or "failed: ...".
 *
 * A request is a file of lines KEY=VALUE: `status` (the file for the answer, absolute),
 * `options` (as FTSAN_OPTIONS has them) and `run` (the run's id).
 *
 * May use: every room of preload/, from the top. The lock that it holds is a turn: one
 * request at a time (attach.c).
 */
#ifndef FTSAN_PRELOAD_ATTACH_H
#define FTSAN_PRELOAD_ATTACH_H

/* Context: any thread that may call malloc. Return: 0; -errno: no thread, no request. */
int ftsan_attach(const char *request);
int ftsan_detach(const char *request);

#endif
