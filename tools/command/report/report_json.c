/* One JSON document: the merged findings as the log has them, and what they rest on. */
#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "report/report_model.h"

static json_t *frame_json(const struct ftsan_resolved *resolved,
			  const struct ftsan_view_frame *frame)
{
	json_t *json = json_object();

	ftsan_json_set_text(json, "type", frame->python ? "python" : "native");
	if (!frame->python) {
		ftsan_json_set_text(json, "module", frame->module);
		ftsan_json_set_address(json, "offset", frame->offset);
	}
	ftsan_json_set_text(json, "function", frame->function);
	ftsan_json_set_text(json, "file", frame->file);
	if (frame->line > 0)
		ftsan_json_set_number(json, "line", (uint64_t)frame->line);
	if (ftsan_is_inlined(resolved, frame))
		json_object_set_new(json, "inlined", json_true());
	return json;
}

static json_t *stack_json(const struct ftsan_resolved *resolved,
			  const struct ftsan_view_stack *stack)
{
	json_t *json = json_object(), *frames = json_array();

	ftsan_json_set_text(json, "role", stack->role);
	if (stack->tid != 0)
		ftsan_json_set_number(json, "tid", (uint64_t)stack->tid);
	ftsan_json_set_text(json, "thread", stack->thread);
	if (stack->size != 0)
		ftsan_json_set_number(json, "size", stack->size);
	ftsan_json_set_address(json, "address", stack->address);
	if (stack->atomic)
		json_object_set_new(json, "atomic", json_true());
	for (unsigned i = 0; i < stack->n_frames; i++)
		json_array_append_new(frames, frame_json(resolved, &stack->frames[i]));
	json_object_set_new(json, "frames", frames);
	return json;
}

/* The record with its stacks replaced, so that what this version does not know stays. */
static json_t *item_json(const struct ftsan_item *item)
{
	json_t *json = json_loadb(item->found->line, item->found->length, 0, NULL);
	json_t *stacks = json_array();

	for (unsigned i = 0; i < item->view->n_stacks; i++)
		json_array_append_new(stacks,
				      stack_json(item->resolved, &item->view->stacks[i]));
	json_object_set_new(json, "stacks", stacks);
	if (item->view->member != NULL)
		ftsan_json_set_text(json_object_get(json, "object"), "member",
				    item->view->member);
	json_object_del(json, "v");
	json_object_del(json, "type");
	ftsan_json_set_number(json, "count", ftsan_found_count(item->found));
	ftsan_json_set_number(json, "processes", item->found->processes);
	json_object_set_new(json, "first", json_real(item->found->first));
	json_object_set_new(json, "last", json_real(item->found->last));
	json_object_set_new(json, "tests", ftsan_json_listed(&item->found->tests));
	json_object_set_new(json, "suppressed", json_boolean(item->suppressed));
	json_object_set_new(json, "seen", ftsan_json_counted(&item->found->evidence));
	ftsan_json_set_text(json, "baseline", ftsan_news_word(item->news));
	return json;
}

static void dump(struct ftsan_report *report, json_t *json)
{
	json_dumpf(json, report->out, JSON_COMPACT);
	json_decref(json);
}

static void begin_json(struct ftsan_report *report)
{
	fputs("{\"v\":1,\"type\":\"report\",\"ftsan\":\"" FTSAN_VERSION "\","
	      "\"findings\":[",
	      report->out);
}

static void put_json_item(struct ftsan_report *report, const struct ftsan_item *item)
{
	fputs(report->written > 0 ? ",\n" : "\n", report->out);
	dump(report, item_json(item));
}

static json_t *engines_json(const struct ftsan_session *session)
{
	json_t *list = json_array();

	for (size_t i = 0; i < session->n_engines; i++) {
		const struct ftsan_engine_state *state = &session->engines[i];
		json_t *engine = json_object();

		ftsan_json_set_text(engine, "name", state->name);
		json_object_set_new(engine, "active", json_boolean(state->active));
		if (state->canary_known)
			json_object_set_new(engine, "canary",
					    json_boolean(state->canary));
		ftsan_json_set_text(engine, "reason", state->reason);
		ftsan_json_set_text(engine, "detail", state->detail);
		ftsan_json_set_number(engine, "processes", state->processes);
		json_array_append_new(list, engine);
	}
	return list;
}

/* Every module, those of the standard library, too. */
static json_t *modules_json(const struct ftsan_coverage *coverage)
{
	json_t *list = json_array();

	for (size_t i = 0; i < coverage->module_paths.n; i++) {
		json_t *json = json_object();

		ftsan_json_set_text(json, "module", coverage->module_paths.texts[i]);
		ftsan_json_set_number(json, "functions", coverage->modules[i].functions);
		ftsan_json_set_number(json, "seen", coverage->modules[i].seen);
		ftsan_json_set_number(json, "shared", coverage->modules[i].shared);
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *coverage_json(const struct ftsan_coverage *coverage)
{
	json_t *json = ftsan_json_counted(&coverage->sums);

	ftsan_json_set_number(json, "processes", coverage->processes);
	json_object_set_new(json, "watched", ftsan_json_counted(&coverage->watched));
	json_object_set_new(json, "modules", modules_json(coverage));
	json_object_set_new(json, "buffers_left_out",
			    ftsan_json_counted(&coverage->left_out));
	json_object_set_new(json, "gil_requested_by",
			    ftsan_json_listed(&coverage->requesters));
	json_object_set_new(json, "gil",
			    json_pack("{s:I,s:I,s:I}", "off",
				      (json_int_t)coverage->gil[FTSAN_GIL_OFF], "on",
				      (json_int_t)coverage->gil[FTSAN_GIL_ON], "unknown",
				      (json_int_t)coverage->gil[FTSAN_GIL_UNKNOWN]));
	return json;
}

static json_t *suppressions_json(const struct ftsan_suppressions *suppressions)
{
	json_t *list = json_array();

	for (size_t i = 0; i < suppressions->n; i++) {
		const struct ftsan_suppression *suppression = &suppressions->list[i];
		json_t *json = json_object();

		ftsan_json_set_text(json, "place", suppression->place);
		ftsan_json_set_text(json, "text", suppression->text);
		json_object_set_new(json, "expired", json_boolean(suppression->expired));
		json_object_set_new(json, "matched",
				    ftsan_json_counted(&suppression->matched));
		json_array_append_new(list, json);
	}
	return list;
}

static void set_verdict(json_t *json, const struct ftsan_report *report)
{
	char *text = ftsan_verdict_text(report->session, report->summary.nothing);
	char *unwatched = ftsan_verdict_unwatched(report->session);

	ftsan_json_set_text(json, "verdict",
			    ftsan_verdict_word(ftsan_verdict_of(report->session)));
	ftsan_json_set_text(json, "verdict_text", text);
	ftsan_json_set_text(json, "not_watched", unwatched);
	free(text);
	free(unwatched);
}

static json_t *json_summary(const struct ftsan_report *report)
{
	const struct ftsan_session *session = report->session;
	json_t *json = json_object();

	set_verdict(json, report);
	ftsan_json_set_number(json, "findings", session->n_shown);
	ftsan_json_set_number(json, "suppressed", session->n_found - session->n_shown);
	if (report->baseline != NULL) {
		ftsan_json_set_number(json, "new", report->n_new);
		ftsan_json_set_number(json, "known", session->n_shown - report->n_new);
		ftsan_json_set_number(json, "gone", report->n_gone);
	}
	ftsan_json_set_number(json, "processes", session->n_processes);
	ftsan_json_set_number(json, "processes_without_end", session->n_unended);
	ftsan_json_set_number(json, "findings_missing", (uint64_t)session->lost);
	ftsan_json_set_number(json, "lines_skipped", session->bad_lines);
	ftsan_json_set_number(json, "logs_torn", report->summary.torn_files);
	ftsan_json_set_number(json, "runs", session->runs.n);
	json_object_set_new(json, "pythons", ftsan_json_counted(&session->pythons));
	json_object_set_new(json, "versions", ftsan_json_counted(&session->versions));
	json_object_set_new(json, "commands", ftsan_json_listed(&session->commands));
	json_object_set_new(json, "engines", engines_json(session));
	json_object_set_new(json, "coverage", coverage_json(&session->coverage));
	json_object_set_new(json, "suppressions",
			    suppressions_json(report->suppressions));
	json_object_set_new(json, "suppressed_by_pytest",
			    ftsan_json_counted(&session->hidden_by));
	return json;
}

static void end_json(struct ftsan_report *report)
{
	fputs("\n],\n\"summary\":", report->out);
	dump(report, json_summary(report));
	fputs("}\n", report->out);
}

const struct ftsan_format ftsan_format_json = {
	.name = "json",
	.begin = begin_json,
	.item = put_json_item,
	.end = end_json,
};
