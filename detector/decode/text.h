/*
 * The program's code as its file has it. Breakpoints of ours may be in the text at any
 * moment, also at an instruction that a handler has been called for: it is armed again
 * by another thread meanwhile. Whoever decodes reads the code here.
 */
#ifndef FTSAN_DECODE_TEXT_H
#define FTSAN_DECODE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/**
 * typedef ftsan_text_restore - puts the bytes of the program's own into a copy
 * @code: copy of the @n bytes at @at
 *
 * Context: signal handlers.
 */
typedef void (*ftsan_text_restore)(uintptr_t at, unsigned char *code, size_t n);

/* Who patches the text has to provide it. NULL: nobody does. Context: start-up. */
void ftsan_text_patched_by(ftsan_text_restore restore);

/**
 * ftsan_text_read() - copy code
 * @code: gets @n bytes, or as many as there are up to the end of a page
 *
 * Context: async-signal-safe; by ftsan_safe_read(). Return: how many; 0: none.
 */
size_t ftsan_text_read(unsigned char *code, uintptr_t at, size_t n);

/* The same for what precedes @end: the last ones of @n bytes, or of a page. */
size_t ftsan_text_read_before(unsigned char *code, uintptr_t end, size_t n);

#endif
