/* What was said before an abort(): by glibc, or by the interpreter. */
#ifndef FTSAN_PRELOAD_LAST_WORDS_H
#define FTSAN_PRELOAD_LAST_WORDS_H

/* Context: activation. */
void ftsan_last_words_start(void);

/* A copy, until the next call; NULL: nothing was said. Async-signal-safe, one caller at a
 * time. */
const char *ftsan_last_words(void);

#endif
