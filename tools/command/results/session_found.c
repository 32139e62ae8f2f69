#include "results/session_found.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "common/common.h"
#include "results/session_same.h"

int ftsan_confidence_rank(const char *confidence)
{
	static const char *const ranks[] = {"latent", "probable", "confirmed"};

	for (size_t i = 0; confidence != NULL && i < FTSAN_ARRAY_LEN(ranks); i++)
		if (strcmp(confidence, ranks[i]) == 0)
			return (int)i + 1;
	return 0;
}

bool ftsan_found_shown(const struct ftsan_found *found)
{
	return found->hidden < found->processes;
}

uint64_t ftsan_found_count(const struct ftsan_found *found)
{
	return found->records + found->repeats;
}

static void note_tests(struct ftsan_found *found, const json_t *tests)
{
	const json_t *test;
	size_t i;

	json_array_foreach(tests, i, test)
	{
		if (json_is_string(test))
			ftsan_names_add(&found->tests, json_string_value(test), 1);
	}
}

/* A process's finding is hidden when each of its records is, by whichever of the two. */
static void judge_anew(struct ftsan_session *session, struct ftsan_met *met)
{
	struct ftsan_found *found = &session->found[met->found];
	bool shown = ftsan_found_shown(found);
	bool hidden = met->judged >= met->records || met->told >= met->records;

	if (hidden == met->hidden)
		return;
	met->hidden = hidden;
	found->hidden += hidden ? 1 : (uint64_t)-1;
	session->n_shown -= shown && !ftsan_found_shown(found);
	session->n_shown += !shown && ftsan_found_shown(found);
}

/* @suppressed: why the plugin hides it, NULL when it does not. */
static void tell_tests(struct ftsan_session *session, struct ftsan_met *met,
		       const json_t *tests, const char *suppressed)
{
	struct ftsan_found *found = &session->found[met->found];
	bool hidden = suppressed != NULL;

	note_tests(found, tests);
	found->between |= json_is_array(tests) && json_array_size(tests) == 0;
	if (suppressed != NULL)
		ftsan_names_add(&session->hidden_by, suppressed, 1);
	if (session->judge_tests != NULL)
		hidden |= session->judge_tests(session->argument, found->fingerprint,
					       tests);
	met->told += hidden;
	judge_anew(session, met);
}

/* Nobody will name the tests any more: those that ran then are it. */
static void settle(struct ftsan_session *session, struct ftsan_met *met)
{
	if (met->running == NULL)
		return;
	tell_tests(session, met, met->running, NULL);
	json_decref(met->running);
	met->running = NULL;
}

/* The finding as this process has it: one more record of it, which is not judged yet.
 * What an earlier process of the file had is settled. */
static struct ftsan_met *meet(struct ftsan_session *session, struct ftsan_source *source,
			      const char *fingerprint, size_t found)
{
	size_t known = source->met_names.n;
	size_t number = ftsan_names_add(&source->met_names, fingerprint, 1);
	struct ftsan_met *met;

	if (number == known) {
		source->met = ftsan_xgrow(source->met, known, &source->met_capacity,
					  sizeof(*source->met));
		memset(&source->met[number], 0, sizeof(*met));
	}
	met = &source->met[number];
	if (met->running != source->running || met->process != source->process)
		settle(session, met);
	if (met->records == 0 || met->process != source->process) {
		*met = (struct ftsan_met){.found = found, .process = source->process};
		session->n_shown += !ftsan_found_shown(&session->found[found]);
		session->found[found].processes++;
	}
	met->records++;
	session->found[found].records++;
	return met;
}

/* No more than these are kept apart. */
static void note_evidence(struct ftsan_found *found, const char *evidence)
{
	enum { KEPT = 32 };

	if (evidence == NULL || evidence[0] == '\0' ||
	    (found->evidence.n >= KEPT &&
	     ftsan_names_find(&found->evidence, evidence) == FTSAN_NO_NAME))
		return;
	ftsan_names_add(&found->evidence, evidence, 1);
}

/* Of a `test` record, which will tell more than what runs now. */
static void expect_tests(const struct ftsan_source *source, struct ftsan_met *met)
{
	json_decref(met->running);
	met->running = json_incref(source->running);
}

bool ftsan_session_repeat(struct ftsan_session *session, struct ftsan_source *source,
			  const struct ftsan_skim *skim)
{
	char fingerprint[64], confidence[32], time[40], evidence[512];
	struct ftsan_found *found;
	struct ftsan_met *met;
	json_t *tests = NULL;
	long number;

	if (!skim->fields[FTSAN_SKIM_KIND].string ||
	    !skim->fields[FTSAN_SKIM_FINGERPRINT].string ||
	    !ftsan_skim_copy(skim, FTSAN_SKIM_FINGERPRINT, fingerprint,
			     sizeof(fingerprint)) ||
	    !ftsan_skim_copy(skim, FTSAN_SKIM_CONFIDENCE, confidence,
			     sizeof(confidence)) ||
	    !ftsan_skim_copy(skim, FTSAN_SKIM_TIME, time, sizeof(time)))
		return false;
	number = ftsan_names_find(&session->fingerprints, fingerprint);
	if (number == FTSAN_NO_NAME ||
	    !ftsan_skim_copy(skim, FTSAN_SKIM_EVIDENCE, evidence, sizeof(evidence)))
		return false;
	found = &session->found[number];
	/* It may be a better proof, or the first that is not suppressed, or become one.
	 */
	if ((source->running != NULL && session->judge != NULL) ||
	    !ftsan_found_shown(found) ||
	    ftsan_confidence_rank(confidence) > ftsan_confidence_rank(found->confidence))
		return false;
	source->findings++;
	met = meet(session, source, fingerprint, (size_t)number);
	judge_anew(session, met);
	note_evidence(found, evidence);
	if (skim->fields[FTSAN_SKIM_TESTS].text == NULL)
		expect_tests(source, met);
	if (!skim->fields[FTSAN_SKIM_TIME].string)
		ftsan_note_time(&found->first, &found->last, strtod(time, NULL));
	if (skim->fields[FTSAN_SKIM_TESTS].text != NULL)
		tests = json_loadb(skim->fields[FTSAN_SKIM_TESTS].text,
				   skim->fields[FTSAN_SKIM_TESTS].length, JSON_DECODE_ANY,
				   NULL);
	note_tests(found, tests);
	json_decref(tests);
	return true;
}

static size_t add_found(struct ftsan_session *session, const struct ftsan_view *view)
{
	struct ftsan_found *found;

	session->found = ftsan_xgrow(session->found, session->n_found,
				     &session->found_capacity, sizeof(*found));
	found = &session->found[session->n_found];
	memset(found, 0, sizeof(*found));
	found->kind = ftsan_xstrdup(view->kind);
	found->fingerprint = ftsan_xstrdup(view->fingerprint);
	found->confidence = ftsan_xstrdup("");
	ftsan_names_add(&session->fingerprints, view->fingerprint, 1);
	return session->n_found++;
}

static size_t get_found(struct ftsan_session *session, const struct ftsan_view *view)
{
	long known = ftsan_session_find(session, view->fingerprint, view->also);
	size_t number = known != FTSAN_NO_NAME ? (size_t)known : add_found(session, view);

	ftsan_session_alias(session, number, view->fingerprint, view->also);
	return number;
}

/* Keeps the record as the one to show. */
static void keep(struct ftsan_found *found, const struct ftsan_source *source,
		 const struct ftsan_view *view, const char *text, size_t length)
{
	size_t bytes = source->modules.n * sizeof(*source->modules.numbers);

	free(found->kind);
	found->kind = ftsan_xstrdup(view->kind);
	free(found->headline);
	found->headline = ftsan_xstrdup(ftsan_view_headline(view));
	free(found->confidence);
	found->confidence =
		ftsan_xstrdup(view->confidence != NULL ? view->confidence : "unknown");
	free(found->culprit);
	found->culprit = view->culprit != NULL ? ftsan_xstrdup(view->culprit) : NULL;
	free(found->culprit_module);
	found->culprit_module =
		view->culprit_module != NULL ? ftsan_xstrdup(view->culprit_module) : NULL;
	free(found->line);
	found->line = ftsan_xcalloc(length + 1, 1);
	memcpy(found->line, text, length);
	found->length = length;
	free(found->modules.numbers);
	found->modules.numbers = ftsan_xcalloc(bytes, 1);
	if (bytes > 0)
		memcpy(found->modules.numbers, source->modules.numbers, bytes);
	found->modules.n = source->modules.n;
}

static void plan_to_print(struct ftsan_source *source, size_t met)
{
	source->to_print = ftsan_xgrow(source->to_print, source->n_to_print,
				       &source->to_print_capacity, sizeof(met));
	source->to_print[source->n_to_print++] = met;
}

void ftsan_session_finding_record(struct ftsan_session *session,
				  struct ftsan_source *source,
				  struct ftsan_finding_record *record, const char *text,
				  size_t length)
{
	const struct ftsan_occurrence occurrence = {
		.session = session,
		.record = record,
		.modules = &source->modules,
		.tests = record->tests,
	};
	size_t number = get_found(session, &record->view);
	struct ftsan_found *found = &session->found[number];
	bool shown = ftsan_found_shown(found), hidden = false, better;
	struct ftsan_met *met = meet(session, source, record->view.fingerprint, number);

	source->findings++;
	better = ftsan_confidence_rank(record->view.confidence) >
		 ftsan_confidence_rank(found->confidence);
	/* What is shown stays shown: another occurrence's suppression hides nothing. */
	if (session->judge != NULL && (!shown || better || source->running != NULL))
		hidden = session->judge(session->argument, &occurrence);
	met->judged += hidden;
	judge_anew(session, met);
	if (record->tests == NULL)
		expect_tests(source, met);
	ftsan_note_time(&found->first, &found->last, record->view.time);
	note_tests(found, record->tests);
	note_evidence(found, record->view.evidence);
	if (found->line != NULL && (hidden || (shown && !better)))
		return;
	keep(found, source, &record->view, text, length);
	if (!hidden)
		plan_to_print(source, (size_t)(met - source->met));
}

void ftsan_session_running(struct ftsan_source *source, json_t *tests)
{
	json_decref(source->running);
	source->running = json_incref(tests);
}

void ftsan_session_test(struct ftsan_session *session, struct ftsan_source *source,
			const struct ftsan_tests_record *record)
{
	long number = ftsan_names_find(&source->met_names, record->fingerprint);
	struct ftsan_met *met;

	if (number == FTSAN_NO_NAME)
		return;
	met = &source->met[number];
	json_decref(met->running);
	met->running = NULL;
	tell_tests(session, met, record->tests, record->suppressed);
}

void ftsan_source_settle(struct ftsan_session *session, struct ftsan_source *source)
{
	/* Where nobody says which tests run, nothing waits. */
	if (source->running == NULL)
		return;
	for (size_t i = 0; i < source->met_names.n; i++)
		settle(session, &source->met[i]);
	json_decref(source->running);
	source->running = NULL;
}

void ftsan_source_release_met(struct ftsan_source *source)
{
	for (size_t i = 0; i < source->met_names.n; i++)
		json_decref(source->met[i].running);
	free(source->met);
	free(source->to_print);
	ftsan_names_release(&source->met_names);
	source->met = NULL;
	source->to_print = NULL;
	source->met_capacity = source->n_to_print = source->to_print_capacity = 0;
}

static void print(struct ftsan_session *session, struct ftsan_found *found)
{
	int rank = ftsan_confidence_rank(found->confidence) + 1;
	struct ftsan_occurrence occurrence = {.session = session,
					      .modules = &found->modules};
	struct ftsan_record record;

	if (session->on_finding == NULL || !ftsan_found_shown(found) ||
	    rank <= found->printed ||
	    ftsan_record_parse(&record, found->line, found->length) != 0)
		return;
	found->printed = rank;
	occurrence.record = &record.finding;
	session->on_finding(session->argument, &occurrence);
	ftsan_record_clear(&record);
}

void ftsan_source_flush(struct ftsan_session *session, struct ftsan_source *source)
{
	size_t kept = 0;

	for (size_t i = 0; i < source->n_to_print; i++) {
		const struct ftsan_met *met = &source->met[source->to_print[i]];

		if (met->running != NULL)
			source->to_print[kept++] = source->to_print[i];
		else
			print(session, &session->found[met->found]);
	}
	source->n_to_print = kept;
}

void ftsan_session_flush(struct ftsan_session *session)
{
	for (size_t i = 0; i < session->n_found; i++)
		print(session, &session->found[i]);
}

void ftsan_session_release_found(struct ftsan_session *session)
{
	for (size_t i = 0; i < session->n_found; i++) {
		struct ftsan_found *found = &session->found[i];

		free(found->kind);
		free(found->headline);
		free(found->confidence);
		free(found->fingerprint);
		free(found->also);
		free(found->culprit);
		free(found->culprit_module);
		free(found->line);
		free(found->modules.numbers);
		ftsan_names_release(&found->tests);
		ftsan_names_release(&found->evidence);
	}
	free(session->found);
	free(session->alias_of);
	ftsan_names_release(&session->fingerprints);
	ftsan_names_release(&session->aliases);
}
