#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/base.h"
#include "common/common.h"
#include "suppressions/suppress.h"

/* More than this is no file of suppressions. */
enum { BAD_LINES_MAX = 20 };

static const char *const type_names[FTSAN_SUPPRESS_TYPES] = {
	"race", "race_top", "module", "test", "kind", "fingerprint",
};

/* struct place - the line that is read, for messages */
struct place {
	const char *file;
	unsigned line;
	const char *today;
};

static int complain(const struct place *place, const char *problem, const char *about)
{
	ftsan_error("%s:%u: %s%s", place->file, place->line, problem, about);
	return -EINVAL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Cuts blanks off both ends. */
static char *trim(char *text)
{
	char *end;

	while (is_blank(*text))
		text++;
	end = text + strlen(text);
	while (end > text && is_blank(end[-1]))
		*--end = '\0';
	return text;
}

/* A '#' in a name, as in C++'s lambdas, has no blank before it. */
static void cut_comment(char *text)
{
	for (char *c = text; *c != '\0'; c++) {
		if (*c == '#' && (c == text || is_blank(c[-1]))) {
			*c = '\0';
			return;
		}
	}
}

/* The value of "name=value" if @word is one; "a::b=" and "[x=1]" are not. */
static char *attribute_value(char *word)
{
	char *c = word;

	while (islower((unsigned char)*c))
		c++;
	return c > word && *c == '=' ? c + 1 : NULL;
}

static bool is_date(const char *text)
{
	struct tm parts = {.tm_isdst = 0}, normal;

	for (int i = 0; i < 10; i++)
		if (i == 4 || i == 7 ? text[i] != '-' : !isdigit((unsigned char)text[i]))
			return false;
	if (text[10] != '\0')
		return false;
	parts.tm_year = atoi(text) - 1900;
	parts.tm_mon = atoi(text + 5) - 1;
	parts.tm_mday = atoi(text + 8);
	normal = parts;
	/* The 31st of February becomes a day in March. */
	return timegm(&normal) != -1 && normal.tm_mon == parts.tm_mon &&
	       normal.tm_mday == parts.tm_mday;
}

/* Takes the attributes off the end of the pattern. */
static int take_attributes(const struct place *place, char *pattern, bool *expired)
{
	char *blank, *value;

	for (;;) {
		blank = pattern + strlen(pattern);
		while (blank > pattern && !is_blank(blank[-1]))
			blank--;
		if (blank == pattern)
			return strncmp(blank, "until=", 6) == 0
				       ? complain(place, "there is no pattern before ",
						  blank)
				       : 0;
		value = attribute_value(blank);
		if (value == NULL)
			return 0;
		if (strncmp(blank, "until=", 6) != 0)
			return complain(
				place, "only until=YYYY-MM-DD may follow a pattern, not ",
				blank);
		if (!is_date(value))
			return complain(place, "no date of the form YYYY-MM-DD: ", value);
		*expired |= strcmp(place->today, value) > 0;
		*blank = '\0';
		trim(pattern);
	}
}

static int check_pattern(const struct place *place, enum ftsan_suppression_type type,
			 const char *pattern)
{
	if (pattern[0] == '\0')
		return complain(place, "there is no pattern after ", type_names[type]);
	if (type == FTSAN_SUPPRESS_FINGERPRINT &&
	    (strlen(pattern) != 16 ||
	     strspn(pattern, "0123456789abcdefABCDEF") != strlen(pattern)))
		return complain(place,
				"a fingerprint has 16 hexadecimal digits: ", pattern);
	return 0;
}

static int find_type(const struct place *place, const char *name)
{
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(type_names); i++)
		if (strcmp(name, type_names[i]) == 0)
			return (int)i;
	ftsan_error("%s:%u: unknown type '%s'; known are race, race_top, module, test, "
		    "kind, fingerprint",
		    place->file, place->line, name);
	return -EINVAL;
}

static void add(struct ftsan_suppressions *suppressions, const struct place *place,
		int type, const char *text, const char *pattern, bool expired)
{
	struct ftsan_suppression *suppression;

	suppressions->list = ftsan_xgrow(suppressions->list, suppressions->n,
					 &suppressions->capacity, sizeof(*suppression));
	suppression = &suppressions->list[suppressions->n++];
	*suppression = (struct ftsan_suppression){
		.type = (enum ftsan_suppression_type)type,
		.text = ftsan_xstrdup(text),
		/* A kind is a whole word. */
		.pattern = type == FTSAN_SUPPRESS_KIND ? ftsan_xprintf("^%s$", pattern)
						       : ftsan_xstrdup(pattern),
		.place = ftsan_xprintf("%s:%u", place->file, place->line),
		.expired = expired,
	};
}

static int read_line(struct ftsan_suppressions *suppressions, const struct place *place,
		     char *line)
{
	char *text, *whole, *pattern;
	bool expired = false;
	int type, error;

	cut_comment(line);
	text = trim(line);
	if (text[0] == '\0')
		return 0;
	pattern = strchr(text, ':');
	if (pattern == NULL)
		return complain(place, "not of the form TYPE:PATTERN: ", text);
	whole = ftsan_xstrdup(text);
	*pattern = '\0';
	pattern = trim(pattern + 1);
	type = find_type(place, trim(text));
	error = type < 0 ? type : take_attributes(place, pattern, &expired);
	if (error == 0)
		error = check_pattern(place, (enum ftsan_suppression_type)type, pattern);
	if (error == 0)
		add(suppressions, place, type, whole, pattern, expired);
	free(whole);
	return error;
}

int ftsan_suppressions_read_stream(struct ftsan_suppressions *suppressions, FILE *file,
				   const char *name, const char *today)
{
	struct place place = {.file = name, .today = today};
	static const char mark[] = "\xef\xbb\xbf"; /* editors begin UTF-8 files with it */
	size_t capacity = 0;
	char *line = NULL;
	unsigned bad = 0;
	int error = 0, failed;
	ssize_t length;

	/* All bad lines at once: nobody wants to mend one a run. */
	while (bad < BAD_LINES_MAX && (length = getline(&line, &capacity, file)) >= 0) {
		char *text = line;

		place.line++;
		if (place.line == 1 && strncmp(text, mark, strlen(mark)) == 0)
			text += strlen(mark);
		if (strlen(line) != (size_t)length)
			failed = complain(&place, "not text", "");
		else
			failed = read_line(suppressions, &place, text);
		if (failed != 0) {
			error = failed;
			bad++;
		}
	}
	if (ferror(file)) {
		error = -errno;
		ftsan_error("%s: %s", name, strerror(errno));
	}
	free(line);
	return error;
}

int ftsan_suppressions_read(struct ftsan_suppressions *suppressions, const char *path,
			    const char *today)
{
	FILE *file = fopen(path, "re");
	int error;

	if (file == NULL) {
		error = -errno;
		ftsan_error("%s: the suppressions can't be read: %s", path,
			    strerror(errno));
		return error;
	}
	error = ftsan_suppressions_read_stream(suppressions, file, path, today);
	fclose(file);
	return error;
}
