#include "results/source_line.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/common.h"

enum { SIZE_MAX_BYTES = 1 << 24, SHOWN_MAX = 100 };

/* The line without the blanks around it, malloc'ed; NULL: there is none. */
static char *read_line(FILE *file, int line)
{
	char *text = NULL, *begin, *end;
	size_t capacity = 0;
	int number = 0;

	while (number < line && getline(&text, &capacity, file) >= 0)
		number++;
	if (number < line || text == NULL) {
		free(text);
		return NULL;
	}
	for (begin = text; isspace((unsigned char)*begin); begin++)
		;
	for (end = begin + strlen(begin); end > begin && isspace((unsigned char)end[-1]);)
		end--;
	if (end - begin > SHOWN_MAX)
		end = begin + SHOWN_MAX;
	*end = '\0';
	begin = ftsan_clean_text(begin);
	free(text);
	return begin;
}

int ftsan_put_source_line(FILE *out, const char *before, const char *path, int line)
{
	FILE *file;
	char *text;
	int length = 0;

	if (path == NULL || path[0] != '/' || line <= 0)
		return 0;
	file = ftsan_fopen_regular(path, SIZE_MAX_BYTES);
	if (file == NULL)
		return 0;
	text = read_line(file, line);
	fclose(file);
	if (text != NULL && text[0] != '\0') {
		length = (int)strlen(text);
		fputs(before, out);
		ftsan_put_text(out, text);
	}
	free(text);
	return length;
}
