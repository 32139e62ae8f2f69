/*
 * Which modules asked for the GIL: a free-threaded interpreter switches it back on when
 * an extension module does not declare that it can do without. ftsan keeps it off, and
 * says who would have wanted it.
 *
 * Context of everything: any thread, async-signal-safe, bounded (the first few names).
 */
#ifndef FTSAN_GIL_H
#define FTSAN_GIL_H

enum { FTSAN_GIL_REQUESTS_MAX = 32, FTSAN_GIL_NAME_MAX = 128 };

/* @name is copied; a name that is known already changes nothing. */
void ftsan_gil_note_request(const char *name);
void ftsan_gil_withdraw(const char *name);
unsigned ftsan_gil_requests(void);
const char *ftsan_gil_request(unsigned index);

#endif
