#include "common/escape.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/xmemory.h"

/* Bytes of the UTF-8 sequence at @text, 0 if it is none. */
static size_t sequence(const unsigned char *text)
{
	static const struct {
		unsigned char first_min, first_max, second_min, second_max;
		size_t length;
	} forms[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	if (text[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		size_t n = 2;

		if (text[0] < forms[i].first_min || text[0] > forms[i].first_max ||
		    text[1] < forms[i].second_min || text[1] > forms[i].second_max)
			continue;
		while (n < forms[i].length && (text[n] & 0xc0) == 0x80)
			n++;
		return n == forms[i].length ? n : 0;
	}
	return 0;
}

/* Is the sequence a character of XML 1.0? */
static bool is_xml(const char *text, size_t length)
{
	unsigned char c = (unsigned char)text[0];

	if (length == 0)
		return false;
	if (length == 1)
		return (c >= 0x20 && c != 0x7f) || c == '\t' || c == '\n' || c == '\r';
	/* U+FFFE and U+FFFF are none; C1 controls are, but nobody wants to see them. */
	if (length == 3)
		return memcmp(text, "\xef\xbf\xbe", 3) != 0 &&
		       memcmp(text, "\xef\xbf\xbf", 3) != 0;
	return c != 0xc2 || (unsigned char)text[1] >= 0xa0;
}

static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void ftsan_put_xml(FILE *out, const char *text)
{
	while (text != NULL && *text != '\0') {
		size_t length = sequence((const unsigned char *)text);
		const char *name = entity(*text);

		if (name != NULL)
			fputs(name, out);
		else if (is_xml(text, length))
			fwrite(text, 1, length, out);
		else
			fputc('?', out);
		text += length > 0 ? length : 1;
	}
}

void ftsan_put_csv(FILE *out, const char *text)
{
	char *clean = ftsan_clean_text(text != NULL ? text : "");

	fputc('"', out);
	if (clean[0] != '\0' && strchr("=+-@\t\r", clean[0]) != NULL)
		fputc('\'', out);
	for (const char *c = clean; *c != '\0'; c++) {
		if (*c == '"')
			fputc('"', out);
		fputc((unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c, out);
	}
	fputc('"', out);
	free(clean);
}

static void put_github(FILE *out, const char *text, const char *special)
{
	for (; text != NULL && *text != '\0'; text++) {
		if (strchr(special, *text) != NULL)
			fprintf(out, "%%%02X", (unsigned)*text);
		else if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
			fputc('?', out);
		else
			fputc(*text, out);
	}
}

void ftsan_put_github_message(FILE *out, const char *text)
{
	put_github(out, text, "%\r\n");
}

void ftsan_put_github_property(FILE *out, const char *text)
{
	put_github(out, text, "%\r\n:,");
}

char *ftsan_clean_text(const char *text)
{
	char *clean = ftsan_xstrdup(text);

	for (char *c = clean; *c != '\0';) {
		size_t length = sequence((unsigned char *)c);

		if (length == 0)
			*c = '?';
		c += length > 0 ? length : 1;
	}
	return clean;
}

json_t *ftsan_json_text(const char *text)
{
	char *clean = ftsan_clean_text(text != NULL ? text : "");
	json_t *json = json_string(clean);

	free(clean);
	return json;
}

void ftsan_put_time(FILE *out, double seconds)
{
	time_t whole = seconds > 0 && seconds < 1e11 ? (time_t)seconds : 0;
	char text[32];
	struct tm parts;

	if (whole != 0 && gmtime_r(&whole, &parts) != NULL &&
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts) > 0)
		fputs(text, out);
}

void ftsan_put_text_n(FILE *out, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		fputc(c < 0x20 || c == 0x7f ? '?' : c, out);
	}
}

void ftsan_put_text(FILE *out, const char *text)
{
	ftsan_put_text_n(out, text, strlen(text));
}

void ftsan_put_counted(FILE *out, const char *text, uint64_t n)
{
	const char *mark = strchr(text, '%');

	if (mark == NULL) {
		ftsan_put_text(out, text);
		return;
	}
	ftsan_put_text_n(out, text, (size_t)(mark - text));
	fprintf(out, "%" PRIu64, n);
	ftsan_put_text(out, mark + 1);
}
