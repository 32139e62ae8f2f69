/* What was said before an abort(): by glibc, or by the interpreter. */
#ifndef FTSAN_PRELOAD_LAST_WORDS_H
#define FTSAN_PRELOAD_LAST_WORDS_H

#include <stdint.h>

/* Context: activation. */
void ftsan_last_words_start(void);

/* A copy, until the next call; NULL: nothing was said. Async-signal-safe, one caller at a
 * time. */
const char *ftsan_last_words(void);

/* "ftsan's own look at it failed in FUNCTION": where the second fault was. As above. */
const char *ftsan_last_place(uintptr_t pc);

#endif
