/* SARIF 2.1.0 (OASIS), as code scanning services take it. */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "common/common.h"
#include "report/report_model.h"

static const struct {
	const char *kind, *help;
} rules[] = {
	{"race", "Two threads accessed the same memory at the same time, and one of them "
		 "was storing."},
	{"use-after-free", "Memory was used after it was freed or moved."},
	{"hazard", "A store to memory that other threads may be reading."},
	{"bad-code", "An extension module handed CPython an invalid code object."},
	{"no-exception",
	 "An extension module added a traceback when no exception was set."},
	{"crash", "The process died of a signal that nobody handled."},
	{"hang", "The program did not come to an end in time."},
};

static int rule_of(const char *kind)
{
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(rules); i++)
		if (strcmp(kind, rules[i].kind) == 0)
			return (int)i;
	return -1;
}

static json_t *message(const char *text)
{
	return json_pack("{s:o}", "text", ftsan_json_text(text));
}

static const char help_page[] = "https://github.com/ftsan/ftsan/blob/main/docs/report.md";

static json_t *help_json(const char *help)
{
	static const char advice[] =
		"The result's message says what was stored to, by whom, and what helps; "
		"its stacks are both threads'. To see it again, run the same tests under "
		"ftsan; its fingerprint is the same in every run.";
	char *text = ftsan_xprintf("%s %s", help, advice);
	char *markdown = ftsan_xprintf("%s\n\n%s\n\n[What reports say](%s)", help, advice,
				       help_page);
	json_t *json = json_pack("{s:o,s:o}", "text", ftsan_json_text(text), "markdown",
				 ftsan_json_text(markdown));

	free(text);
	free(markdown);
	return json;
}

static json_t *rules_json(void)
{
	json_t *list = json_array();

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(rules); i++)
		json_array_append_new(
			list, json_pack("{s:s,s:o,s:o,s:o,s:s}", "id", rules[i].kind,
					"shortDescription",
					message(ftsan_kind_headline(rules[i].kind)),
					"fullDescription", message(rules[i].help), "help",
					help_json(rules[i].help), "helpUri", help_page));
	return list;
}

/* A path as a URI reference: what RFC 3986 does not allow there is written in hex. */
static json_t *uri(const char *prefix, const char *path)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	json_t *json;

	if (out == NULL)
		return json_string("");
	fputs(prefix, out);
	for (; *path != '\0'; path++) {
		unsigned char c = (unsigned char)*path;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || (c < 0x80 && strchr("-._~/", c));

		fprintf(out, plain ? "%c" : "%%%02X", c);
	}
	fclose(out);
	json = json_string(text);
	free(text);
	return json;
}

/* Of a source file, or of a module when there is no line. */
static json_t *physical(const struct ftsan_report *report, const char *file, int line)
{
	const char *inside = ftsan_path_below(file, report->root);
	json_t *artifact = json_object(), *json = json_object();

	if (inside != NULL) {
		json_object_set_new(artifact, "uri", uri("", inside));
		json_object_set_new(artifact, "uriBaseId", json_string("SRCROOT"));
	} else {
		json_object_set_new(artifact, "uri",
				    uri(file[0] == '/' ? "file://" : "", file));
	}
	json_object_set_new(json, "artifactLocation", artifact);
	if (line > 0)
		json_object_set_new(json, "region",
				    json_pack("{s:i}", "startLine", line));
	return json;
}

static json_t *frame_json(const struct ftsan_report *report,
			  const struct ftsan_view_frame *frame)
{
	const char *function = frame->function != NULL ? frame->function : "<unknown>";
	json_t *location = json_object(), *json = json_object();

	json_object_set_new(location, "message", message(function));
	if (frame->file != NULL && frame->file[0] != '\0')
		json_object_set_new(location, "physicalLocation",
				    physical(report, frame->file, frame->line));
	json_object_set_new(location, "logicalLocations",
			    json_pack("[{s:o,s:s}]", "fullyQualifiedName",
				      ftsan_json_text(function), "kind", "function"));
	json_object_set_new(json, "location", location);
	if (!frame->python && frame->module != NULL)
		json_object_set_new(json, "module", ftsan_json_text(frame->module));
	return json;
}

static json_t *stacks_json(const struct ftsan_report *report,
			   const struct ftsan_view *view)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < view->n_stacks; i++) {
		const struct ftsan_view_stack *stack = &view->stacks[i];
		json_t *frames = json_array();
		char title[256];

		snprintf(title, sizeof(title), "%s by thread %s (tid=%d)",
			 stack->role != NULL ? stack->role : "access",
			 stack->thread != NULL ? stack->thread : "?", stack->tid);
		for (unsigned j = 0; j < stack->n_frames; j++)
			json_array_append_new(frames,
					      frame_json(report, &stack->frames[j]));
		json_array_append_new(list, json_pack("{s:o,s:o}", "message",
						      message(title), "frames", frames));
	}
	return list;
}

static const char *level_of(const struct ftsan_item *item)
{
	if (strcmp(item->found->confidence, "confirmed") == 0)
		return "error";
	return strcmp(item->found->confidence, "latent") == 0 ? "note" : "warning";
}

static const char *baseline_state(enum ftsan_news news)
{
	static const char *const states[] = {NULL, "new", "unchanged", "absent"};

	return states[news];
}

static void set_locations(const struct ftsan_report *report, json_t *result,
			  const struct ftsan_item *item)
{
	json_t *list = json_array();

	if (item->place.file != NULL)
		json_array_append_new(list, json_pack("{s:o}", "physicalLocation",
						      physical(report, item->place.file,
							       item->place.line)));
	json_object_set_new(result, "locations", list);
}

static json_t *properties(const struct ftsan_item *item)
{
	json_t *tests = json_array();

	for (size_t i = 0; i < item->found->tests.n; i++)
		json_array_append_new(tests,
				      ftsan_json_text(item->found->tests.texts[i]));
	return json_pack("{s:o,s:b,s:o}", "confidence",
			 ftsan_json_text(item->found->confidence), "gilForced",
			 item->view->gil_forced, "tests", tests);
}

/* What happened, and what helps, in the words of the text. */
static json_t *said(const struct ftsan_item *item)
{
	char title[FTSAN_SHORT_NAME], *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	json_t *json;

	if (out == NULL)
		return message(ftsan_item_title(item, title, sizeof(title)));
	fputs(ftsan_item_title(item, title, sizeof(title)), out);
	fputs(". ", out);
	/* A death has its title said, and no remedy but what its cause tells. */
	if (item->view->death != NULL) {
		ftsan_explain_harm(out, item->view);
	} else {
		ftsan_explain_what(out, item->view);
		fputs(" ", out);
		ftsan_explain_remedy(out, item->view);
	}
	(void)fclose(out);
	json = message(text);
	free(text);
	return json;
}

static json_t *result_json(const struct ftsan_report *report,
			   const struct ftsan_item *item)
{
	const char *state = baseline_state(item->news);
	json_t *json = json_object();
	int rule = rule_of(item->found->kind);

	json_object_set_new(json, "ruleId", ftsan_json_text(item->found->kind));
	if (rule >= 0)
		json_object_set_new(json, "ruleIndex", json_integer(rule));
	json_object_set_new(json, "level", json_string(level_of(item)));
	json_object_set_new(json, "message", said(item));
	set_locations(report, json, item);
	json_object_set_new(json, "partialFingerprints",
			    json_pack("{s:o}", "ftsan/v1",
				      ftsan_json_text(item->found->fingerprint)));
	json_object_set_new(json, "stacks", stacks_json(report, item->view));
	json_object_set_new(json, "occurrenceCount",
			    json_integer((json_int_t)ftsan_found_count(item->found)));
	if (state != NULL)
		json_object_set_new(json, "baselineState", json_string(state));
	json_object_set_new(json, "suppressions",
			    item->suppressed ? json_pack("[{s:s}]", "kind", "external")
					     : json_array());
	json_object_set_new(json, "properties", properties(item));
	return json;
}

static void dump(struct ftsan_report *report, json_t *json)
{
	json_dumpf(json, report->out, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(json);
}

static void begin_sarif(struct ftsan_report *report)
{
	json_t *driver = json_pack("{s:s,s:s,s:o}", "name", "ftsan", "version",
				   FTSAN_VERSION, "rules", rules_json());
	char *root;

	fputs("{\"version\":\"2.1.0\",\"$schema\":"
	      "\"https://json.schemastore.org/sarif-2.1.0.json\",\"runs\":[{\"tool\":"
	      "{\"driver\":",
	      report->out);
	dump(report, driver);
	fputs("},\"originalUriBaseIds\":{\"SRCROOT\":{\"uri\":", report->out);
	/* The base of relative references ends with a slash. */
	root = ftsan_xprintf("%s/", report->root);
	dump(report, uri("file://", root));
	free(root);
	fputs("}},\"results\":[", report->out);
}

static void put_sarif_item(struct ftsan_report *report, const struct ftsan_item *item)
{
	fputs(report->written > 0 ? ",\n" : "\n", report->out);
	dump(report, result_json(report, item));
}

/* Services show a run that was blind as one, not as a clean one. */
static json_t *invocations(const struct ftsan_report *report)
{
	const struct ftsan_session *session = report->session;
	enum ftsan_verdict verdict = ftsan_verdict_of(session);
	char *text = ftsan_verdict_text(session, report->summary.nothing);
	json_t *notes = json_array();
	bool watched = verdict != FTSAN_VERDICT_NOTHING_WATCHED;

	json_array_append_new(notes,
			      json_pack("{s:s,s:o}", "level", watched ? "note" : "error",
					"message", message(text)));
	free(text);
	for (size_t i = 0; i < session->n_engines; i++) {
		const struct ftsan_engine_state *engine = &session->engines[i];

		if (engine->active)
			continue;
		watched = false;
		json_array_append_new(
			notes,
			json_pack("{s:s,s:o}", "level", "error", "message",
				  message(engine->reason[0] != '\0' ? engine->reason
								    : "not active")));
	}
	return json_pack("[{s:b,s:o,s:{s:s}}]", "executionSuccessful", watched,
			 "toolExecutionNotifications", notes, "properties", "verdict",
			 ftsan_verdict_word(verdict));
}

static void end_sarif(struct ftsan_report *report)
{
	fputs("\n],\"invocations\":", report->out);
	dump(report, invocations(report));
	fputs("}]}\n", report->out);
}

const struct ftsan_format ftsan_format_sarif = {
	.name = "sarif",
	.begin = begin_sarif,
	.item = put_sarif_item,
	.end = end_sarif,
};
