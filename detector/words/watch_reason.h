/* Why the kernel gives no watchpoints, in words for the log. */
#ifndef FTSAN_WATCH_REASON_H
#define FTSAN_WATCH_REASON_H

/* @error: 0 or -errno of ftsan_watch_init(). Context: start-up. The text is what
 * ftsan_watch_name() returns from then on. */
void ftsan_watch_note_refusal(int error);

/* "perf", or "recheck; " and the reason; for the log. */
const char *ftsan_watch_name(void);

#endif
