/* What the interpreter wrote before it gave up. */
#ifndef FTSAN_PRELOAD_HOOK_WRITE_H
#define FTSAN_PRELOAD_HOOK_WRITE_H

enum { FTSAN_LAST_WORDS_MAX = 400 };

/* "Fatal Python error: ...", once it was said to the end; NULL: it was not.
 * Async-signal-safe. */
const char *ftsan_last_words_of_python(void);

#endif
