#include "common/link.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

bool ftsan_links_wanted(void)
{
	static const char *const without[] = {"dumb", "linux", ""};
	const char *terminal = getenv("TERM");

	if (terminal == NULL || (!isatty(STDOUT_FILENO) && !isatty(STDERR_FILENO)))
		return false;
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(without); i++)
		if (strcmp(terminal, without[i]) == 0)
			return false;
	return true;
}

/* struct place - "t.c:17" in a line: where it begins, and how long its parts are */
struct place {
	size_t begin, path, all;
};

/* Behind the last blank before the source, or before the end. */
static bool find_place(const char *line, size_t length, struct place *place)
{
	static const char source[] = "  |  ";
	const char *end = memmem(line, length, source, sizeof(source) - 1);
	size_t stop = end != NULL ? (size_t)(end - line) : length, begin = stop, colon;

	if (length < 6 || memcmp(line, "    #", 5) != 0)
		return false;
	while (begin > 0 && line[begin - 1] != ' ')
		begin--;
	for (colon = stop;
	     colon > begin && line[colon - 1] >= '0' && line[colon - 1] <= '9';)
		colon--;
	if (colon == stop || colon <= begin + 1 || line[colon - 1] != ':')
		return false;
	*place = (struct place){
		.begin = begin, .path = colon - 1 - begin, .all = stop - begin};
	return true;
}

static void put_uri(FILE *out, const char *path)
{
	char host[256] = "";

	(void)gethostname(host, sizeof(host) - 1);
	fprintf(out, "file://%s", host);
	for (const char *c = path; *c != '\0'; c++)
		if (strchr("/.-_~", *c) != NULL || (*c >= 'a' && *c <= 'z') ||
		    (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9'))
			fputc(*c, out);
		else
			fprintf(out, "%%%02X", (unsigned)(unsigned char)*c);
}

void ftsan_put_linked(FILE *out, const char *line, size_t length)
{
	struct place place;
	char path[PATH_MAX], *there = NULL;

	if (find_place(line, length, &place) && place.path < sizeof(path)) {
		memcpy(path, line + place.begin, place.path);
		path[place.path] = '\0';
		there = realpath(path, NULL);
	}
	if (there == NULL) {
		fwrite(line, 1, length, out);
		return;
	}
	fwrite(line, 1, place.begin, out);
	fputs("\033]8;;", out);
	put_uri(out, there);
	fputs("\033\\", out);
	fwrite(line + place.begin, 1, place.all, out);
	fputs("\033]8;;\033\\", out);
	fwrite(line + place.begin + place.all, 1, length - place.begin - place.all, out);
	free(there);
}
