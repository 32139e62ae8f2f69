/*
 * Logs of any bytes, through all that `ftsan report` does with them: a byte that chooses
 * the format, the log, and behind a line "--" the baseline's. What comes out has to be
 * whole, whatever went in.
 */
#include <jansson.h>

#include "base/base.h"
#include "fuzz.h"
#include "log/log_reader.h"
#include "log/skim.h"
#include "report/report_model.h"
#include "results/printer.h"

/* In the order of the first byte's lowest bits. */
static const struct ftsan_format *const formats[] = {
	&ftsan_format_text,   &ftsan_format_json,	  &ftsan_format_html,
	&ftsan_format_sarif,  &ftsan_format_junit,	  &ftsan_format_csv,
	&ftsan_format_github, &ftsan_format_suppressions,
};

enum { WITH_COLOUR = 8, WITH_SUPPRESSIONS = 16 };

static const char suppressions_text[] = "race:repeat\nmodule:^libm\ntest:test_\nkind:"
					"hazard\nrace_top:*a*b until=2026-01-01\n";

/* A field that the skimmer tells is the parser's. */
static void check_field(const struct ftsan_skim *skim, enum ftsan_skim_field field,
			const char *value)
{
	if (skim->fields[field].text == NULL || !skim->fields[field].string)
		EXPECT(value == NULL);
	else
		EXPECT(value != NULL && ftsan_skim_is(skim, field, value));
}

/* The skimmer may leave a line to the parser, but must not take one that it refuses. */
static void check_skimmed(const char *line, size_t length)
{
	struct ftsan_skim skim;
	json_t *json;

	if (!ftsan_skim(&skim, line, length))
		return;
	json = json_loadb(line, length, 0, NULL);
	EXPECT(json_is_object(json));
	check_field(&skim, FTSAN_SKIM_TYPE,
		    json_string_value(json_object_get(json, "type")));
	check_field(&skim, FTSAN_SKIM_FINGERPRINT,
		    json_string_value(json_object_get(json, "fingerprint")));
	check_field(&skim, FTSAN_SKIM_PATH,
		    json_string_value(json_object_get(json, "path")));
	json_decref(json);
}

static void read_line(struct ftsan_session *session, struct ftsan_source *source,
		      const char *line, size_t length)
{
	struct ftsan_record record;
	char *copy = fuzz_copy(line, length);

	check_skimmed(copy, length);
	if (ftsan_record_parse(&record, copy, length) == 0)
		ftsan_record_clear(&record);
	ftsan_session_line(session, source, copy, length);
	free(copy);
}

static void read_log(struct ftsan_session *session, const char *at, const char *end)
{
	struct ftsan_source source;

	ftsan_source_init(&source, true);
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline != NULL ? newline : end;

		read_line(session, &source, at, (size_t)(stop - at));
		at = stop + 1;
	}
	ftsan_source_flush(session, &source);
	ftsan_source_finish(session, &source);
	ftsan_session_flush(session);
}

static void read_suppressions(struct ftsan_suppressions *list, const char *text,
			      size_t length)
{
	FILE *file = fmemopen((void *)(uintptr_t)text, length, "r");

	EXPECT(file != NULL);
	EXPECT(ftsan_suppressions_read_stream(list, file, "fuzz", "2026-11-22") == 0);
	fclose(file);
}

/* No log may move a terminal's cursor. */
static void check_terminal(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];

		EXPECT(c == '\n' || c == '\t' || c == '\r' || (c >= 0x20 && c != 0x7f));
	}
}

static void check_json(const char *text, size_t length)
{
	json_t *json = json_loadb(text, length, 0, NULL);

	EXPECT(json_is_object(json));
	json_decref(json);
}

/* Every line is a command of ours, so none is one of the log's. */
static void check_commands(const char *text)
{
	while (*text != '\0') {
		EXPECT(strncmp(text, "::error ", 8) == 0 ||
		       strncmp(text, "::warning ", 10) == 0 ||
		       strncmp(text, "::notice ", 9) == 0);
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
}

/* Markup is ours, however the log calls its threads. */
static void check_html(const char *text)
{
	const char *script = strstr(text, "<script");

	EXPECT(script != NULL && strstr(script + 1, "<script") == NULL);
	EXPECT(strstr(text, "<img") == NULL && strstr(text, "</html>") != NULL);
}

static void check_xml(const char *text)
{
	while ((text = strchr(text, '<')) != NULL) {
		text++;
		EXPECT(*text == '/' || *text == '?' || strncmp(text, "test", 4) == 0 ||
		       strncmp(text, "failure", 7) == 0 ||
		       strncmp(text, "skipped", 7) == 0 ||
		       strncmp(text, "error", 5) == 0 || strncmp(text, "prop", 4) == 0 ||
		       strncmp(text, "system-", 7) == 0);
	}
}

static void check_suppressions(const char *text, size_t length)
{
	struct ftsan_suppressions list = {.n = 0};

	if (length > 0)
		read_suppressions(&list, text, length);
	ftsan_suppressions_release(&list);
}

static void check_output(const struct ftsan_report *report,
			 const struct ftsan_format *format, const char *text,
			 size_t length)
{
	EXPECT(memchr(text, '\0', length) == NULL);
	if (format == &ftsan_format_json || format == &ftsan_format_sarif)
		check_json(text, length);
	else if (format == &ftsan_format_html)
		check_html(text);
	else if (format == &ftsan_format_junit)
		check_xml(text);
	else if (!report->colour || format != &ftsan_format_text)
		check_terminal(text, length);
	if (format == &ftsan_format_github)
		check_commands(text);
	if (format == &ftsan_format_suppressions)
		check_suppressions(text, length);
}

static void write_report(struct ftsan_report *report, const struct ftsan_format *format)
{
	/* Files that the log names must not make a difference. */
	const struct ftsan_symbolizer_options where = {.sysroot = "/nonexistent"};
	char *text = NULL;
	size_t length = 0;

	report->symbolizer = ftsan_symbolizer_open(&where);
	report->out = open_memstream(&text, &length);
	EXPECT(report->out != NULL);
	ftsan_report_compare(report);
	ftsan_report_write(report, format);
	EXPECT(fclose(report->out) == 0);
	check_output(report, format, text, length);
	free(text);
	ftsan_symbolizer_close(report->symbolizer);
}

/* Where the line "--" is, which parts log and baseline; NULL when there is none. */
static const char *find_baseline(const char *text, size_t size)
{
	const char *mark = size > 0 ? memmem(text, size, "\n--\n", 4) : NULL;

	return mark != NULL ? mark + 1 : NULL;
}

static void report_logs(const char *text, size_t size, unsigned choice)
{
	struct ftsan_suppressions list = {.n = 0};
	struct ftsan_symbolizer_options where = {.sysroot = "/nonexistent"};
	struct ftsan_printer judge = {.suppressions = &list,
				      .symbolizer = ftsan_symbolizer_open(&where)};
	struct ftsan_session session = {.argument = &judge}, baseline = {.run = NULL};
	const char *mark = find_baseline(text, size), *end = text + size;
	struct ftsan_report report = {
		.session = &session,
		.baseline = mark != NULL ? &baseline : NULL,
		.suppressions = &list,
		.summary = {.nothing = "no process", .suppressions = &list},
		.root = "/src",
		.colour = (choice & WITH_COLOUR) != 0,
	};

	if (choice & WITH_SUPPRESSIONS) {
		read_suppressions(&list, suppressions_text,
				  sizeof(suppressions_text) - 1);
		ftsan_printer_judges(&session);
	}
	read_log(&session, text, mark != NULL ? mark : end);
	if (mark != NULL)
		read_log(&baseline, mark + 3, end);
	write_report(&report, formats[choice % FTSAN_ARRAY_LEN(formats)]);
	ftsan_session_release(&session);
	ftsan_session_release(&baseline);
	ftsan_suppressions_release(&list);
	ftsan_symbolizer_close(judge.symbolizer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		report_logs((const char *)data + 1, size - 1, data[0]);
	return 0;
}
