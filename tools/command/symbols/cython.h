/* From lines of C that Cython made back to those of the .pyx file. */
#ifndef FTSAN_TOOLS_SYMBOLS_CYTHON_H
#define FTSAN_TOOLS_SYMBOLS_CYTHON_H

/**
 * ftsan_cython_line() - the line of the .pyx file that a line of generated C is for
 * @file: of the C file
 * @line: in it; gets the line in the .pyx file
 *
 * Cython writes a comment with the place and the source above what it makes of it.
 *
 * Return: the path of the .pyx file, malloc'ed; NULL, and @line is as it was: @file is
 *         none of Cython's, can't be read, or the .pyx file is not here.
 */
char *ftsan_cython_line(const char *file, int *line);

#endif
