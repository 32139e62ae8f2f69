/* What the command itself says, and its exit statuses. */
#ifndef FTSAN_TOOLS_MESSAGE_H
#define FTSAN_TOOLS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	FTSAN_EXIT_FINDINGS = 66,
	FTSAN_EXIT_BLIND = 67,
	FTSAN_EXIT_FAILED =
		125, /* ftsan's own failure, as env(1) and timeout(1) have it */
	FTSAN_EXIT_NOT_EXECUTABLE = 126,
	FTSAN_EXIT_TIMEOUT = 124, /* what timeout(1) says */
	FTSAN_EXIT_NOT_FOUND = 127,
	FTSAN_EXIT_SIGNAL = 128, /* plus the number of the signal */
};

/* "ftsan: ..." and a newline to stderr, in one write. */
void ftsan_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Output that could not be written (a full disk) is a failure like any other. Return: 0,
 * or FTSAN_EXIT_FAILED, and it was said. */
int ftsan_flush_stdout(void);

/**
 * ftsan_write_report() - a finished text to stderr
 * @text: lines in the manner of ftsan_view_text()
 *
 * The program under test writes to the same terminal, so the text goes out in one
 * write(2) where the kernel takes it. Colours it when stderr is a terminal and NO_COLOR
 * is not set. A stderr that is closed or full is no error: the log has everything.
 */
void ftsan_write_report(const char *text, size_t length);

/* The colouring alone: malloc'ed, @length_out bytes. */
char *ftsan_colour_report(const char *text, size_t length, size_t *length_out);

#endif
