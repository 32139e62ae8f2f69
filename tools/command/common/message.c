#include "common/message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "common/link.h"

static void write_all(const char *text, size_t length)
{
	while (length > 0) {
		ssize_t n = write(STDERR_FILENO, text, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text += n;
		length -= (size_t)n;
	}
}

void ftsan_error(const char *format, ...)
{
	char line[4096];
	va_list arguments;
	int n = snprintf(line, sizeof(line), "ftsan: ");
	size_t length;

	va_start(arguments, format);
	vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, arguments);
	va_end(arguments);
	length = strlen(line);
	/* Names in messages may be those of a log. */
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[length++] = '\n';
	write_all(line, length);
}

/* The colour of a line by how it begins, as ThreadSanitizer colours its own. */
static const char *colour_of(const char *line, size_t length)
{
	static const struct {
		const char *prefix, *colour;
	} colours[] = {
		{"WARNING: ", "\033[1;31m"},
		{"SUMMARY: ", "\033[1m"},
		{"    ", NULL},
		{"  Location ", "\033[32m"},
		{"  Danger: ", "\033[33m"},
		{"  Remedy: ", "\033[36m"},
		{"ftsan: FOUND ", "\033[1;31m"},
		{"ftsan: found: ", "\033[31m"},
		{"ftsan: CLEAN ", "\033[1;32m"},
		{"ftsan: NOTHING WATCHED", "\033[1;35m"},
		{"ftsan: ", NULL},
	};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(colours); i++) {
		size_t prefix_length = strlen(colours[i].prefix);

		if (length >= prefix_length &&
		    !memcmp(line, colours[i].prefix, prefix_length))
			return colours[i].colour;
	}
	/* "  Write of size 8 by ...:" and its like head a stack. */
	if (length > 2 && !memcmp(line, "  ", 2) && line[length - 1] == ':')
		return "\033[1;34m";
	return NULL;
}

char *ftsan_colour_report(const char *text, size_t length, size_t *length_out)
{
	char *coloured = NULL;
	FILE *out = open_memstream(&coloured, length_out);
	const char *end = text + length;
	bool links = ftsan_links_wanted();

	if (out == NULL)
		return NULL;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t line = (size_t)((newline != NULL ? newline : end) - text);
		const char *colour = colour_of(text, line);

		if (colour != NULL)
			fputs(colour, out);
		if (links)
			ftsan_put_linked(out, text, line);
		else
			fwrite(text, 1, line, out);
		if (colour != NULL)
			fputs("\033[0m", out);
		if (newline != NULL)
			fputc('\n', out);
		text += line + 1;
	}
	if (fclose(out) != 0) {
		free(coloured);
		return NULL;
	}
	return coloured;
}

static bool wants_colour(void)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(STDERR_FILENO) && (no_color == NULL || no_color[0] == '\0');
}

void ftsan_write_report(const char *text, size_t length)
{
	char *coloured = NULL;
	size_t coloured_length = 0;

	if (wants_colour())
		coloured = ftsan_colour_report(text, length, &coloured_length);
	if (coloured != NULL)
		write_all(coloured, coloured_length);
	else
		write_all(text, length);
	free(coloured);
}

int ftsan_flush_stdout(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	ftsan_error("stdout can't be written");
	return FTSAN_EXIT_FAILED;
}
