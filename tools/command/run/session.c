#include "run/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/annot.h"
#include "run/session_parts.h"
#include "report/skim.h"
#include "common/xmemory.h"

void ftsan_source_init(struct ftsan_source *source, bool trusted)
{
	memset(source, 0, sizeof(*source));
	source->accept = trusted;
}

int ftsan_confidence_rank(const char *confidence)
{
	static const char *const ranks[] = {"latent", "probable", "confirmed"};

	for (size_t i = 0; confidence != NULL && i < FTSAN_ARRAY_LEN(ranks); i++)
		if (strcmp(confidence, ranks[i]) == 0)
			return (int)i + 1;
	return 0;
}

static bool same_run(const struct ftsan_session *session, const char *run)
{
	return session->run == NULL || (run != NULL && strcmp(run, session->run) == 0);
}

static void add_command(struct ftsan_names *commands, const json_t *argv)
{
	char *line = ftsan_xstrdup("");
	const json_t *word;
	size_t i;

	json_array_foreach(argv, i, word)
	{
		const char *text = json_string_value(word);
		char *longer = ftsan_xprintf("%s%s%s", line, i > 0 ? " " : "",
					     text != NULL ? text : "?");

		free(line);
		line = longer;
	}
	if (line[0] != '\0' && (commands->n < FTSAN_COMMANDS_KEPT ||
				ftsan_names_find(commands, line) != FTSAN_NO_NAME))
		ftsan_names_add(commands, line, 1);
	free(line);
}

static void add_name(struct ftsan_names *names, const char *text)
{
	if (text != NULL && text[0] != '\0')
		ftsan_names_add(names, text, 1);
}

/*
 * A file may hold records of several runs: FILE.PID is appended to, and pids come
 * around again. So each process record decides anew.
 */
static void take_process(struct ftsan_session *session, struct ftsan_source *source,
			 const struct ftsan_process_record *process)
{
	ftsan_source_close(session, source, false);
	ftsan_source_settle(session, source);
	source->modules.n = 0;
	source->accept = same_run(session, process->run);
	if (!source->accept)
		return;
	source->open = true;
	source->pid = process->pid;
	source->gil = ftsan_gil_number(process->gil);
	session->n_processes++;
	session->n_attached += process->attached;
	add_name(&session->runs, process->run);
	add_name(&session->pythons, process->python);
	add_name(&session->versions, process->version);
	if (process->root)
		add_command(&session->commands, process->argv);
}

void ftsan_session_module(struct ftsan_session *session, struct ftsan_source *source,
			  const char *path, const char *build_id)
{
	char *key = ftsan_xprintf("%s\n%s", path, build_id != NULL ? build_id : "");
	size_t number = ftsan_names_add(&session->module_keys, key, 1);
	struct ftsan_module_list *list = &source->modules;
	struct ftsan_module_entry *entry;

	free(key);
	if (number == session->n_modules) {
		session->modules =
			ftsan_xgrow(session->modules, session->n_modules,
				    &session->modules_capacity, sizeof(*entry));
		entry = &session->modules[session->n_modules++];
		entry->path = ftsan_xstrdup(path);
		entry->build_id = build_id != NULL && build_id[0] != '\0'
					  ? ftsan_xstrdup(build_id)
					  : NULL;
	}
	list->numbers =
		ftsan_xgrow(list->numbers, list->n, &list->capacity, sizeof(number));
	list->numbers[list->n++] = number;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static void take_engine(struct ftsan_session *session, struct ftsan_source *source,
			const struct ftsan_engine_record *engine)
{
	struct ftsan_engine_state *state;

	if (!source->open)
		return;
	source->engines++;
	for (size_t i = 0; i < session->n_engines; i++) {
		state = &session->engines[i];
		if (same_text(state->name, engine->name) &&
		    state->active == engine->active &&
		    same_text(state->reason, engine->reason) &&
		    state->canary_known == engine->canary_known &&
		    state->canary == engine->canary) {
			state->processes++;
			return;
		}
	}
	session->engines = ftsan_xgrow(session->engines, session->n_engines,
				       &session->engines_capacity, sizeof(*state));
	state = &session->engines[session->n_engines++];
	*state = (struct ftsan_engine_state){
		.name = ftsan_xstrdup(engine->name),
		.reason = ftsan_xstrdup(engine->reason != NULL ? engine->reason : ""),
		.detail = ftsan_xstrdup(engine->detail != NULL ? engine->detail : ""),
		.active = engine->active,
		.canary_known = engine->canary_known,
		.canary = engine->canary,
		.processes = 1,
	};
}

static void take_end(struct ftsan_session *session, struct ftsan_source *source,
		     const struct ftsan_end_record *end)
{
	const char *fingerprint;
	json_t *count;

	json_object_foreach(end->duplicates, fingerprint, count)
	{
		long number = ftsan_names_find(&session->fingerprints, fingerprint);

		if (number != FTSAN_NO_NAME && json_integer_value(count) > 0)
			session->found[number].repeats +=
				(uint64_t)json_integer_value(count);
	}
	if (source->open && end->findings > (json_int_t)source->findings)
		session->lost += end->findings - (json_int_t)source->findings;
	ftsan_source_close(session, source, true);
}

static void take(struct ftsan_session *session, struct ftsan_source *source,
		 struct ftsan_record *record, const char *text, size_t length)
{
	switch (record->type) {
	case FTSAN_RECORD_MODULE:
		ftsan_session_module(session, source, record->module.path,
				     record->module.build_id);
		break;
	case FTSAN_RECORD_ENGINE:
		take_engine(session, source, &record->engine);
		break;
	case FTSAN_RECORD_FINDING:
		ftsan_session_finding_record(session, source, &record->finding, text,
					     length);
		break;
	case FTSAN_RECORD_COVERAGE:
		ftsan_session_coverage(source, text, length);
		break;
	case FTSAN_RECORD_RUNNING:
		ftsan_session_running(source, record->tests.tests);
		break;
	case FTSAN_RECORD_TEST:
		ftsan_session_test(session, source, &record->tests);
		break;
	case FTSAN_RECORD_END:
		take_end(session, source, &record->end);
		break;
	default:
		break;
	}
}

static void take_bad_line(struct ftsan_session *session, struct ftsan_source *source,
			  int error)
{
	if (error == -ENOTSUP)
		source->newer_lines++;
	if (source->bad_lines++ == 0)
		source->first_bad = source->lines;
	/* Somebody else's records are not ours to complain about. */
	if (source->accept)
		session->bad_lines++;
}

void ftsan_session_line(struct ftsan_session *session, struct ftsan_source *source,
			const char *text, size_t length)
{
	struct ftsan_record record;
	struct ftsan_skim skim;
	int error;

	source->lines++;
	if (text == NULL) {
		take_bad_line(session, source, -EBADMSG);
		return;
	}
	if (ftsan_skim(&skim, text, length) &&
	    ftsan_session_skimmed(session, source, &skim, text, length))
		return;
	error = ftsan_record_parse(&record, text, length);
	if (error != 0) {
		take_bad_line(session, source, error);
		return;
	}
	if (record.type == FTSAN_RECORD_PROCESS)
		take_process(session, source, &record.process);
	else if (source->accept)
		take(session, source, &record, text, length);
	ftsan_record_clear(&record);
}

void ftsan_source_finish(struct ftsan_session *session, struct ftsan_source *source)
{
	ftsan_source_close(session, source, false);
	ftsan_source_settle(session, source);
	ftsan_source_flush(session, source);
	ftsan_source_release_met(source);
	free(source->coverage);
	source->coverage = NULL;
	source->coverage_capacity = 0;
	free(source->modules.numbers);
	memset(&source->modules, 0, sizeof(source->modules));
}

/* Of @modules, or of all when @modules is NULL; @agree: gets whether there is but one. */
static const char *find_build_id(const struct ftsan_session *session,
				 const struct ftsan_module_list *modules,
				 const char *path, bool *agree)
{
	size_t n = modules != NULL ? modules->n : session->n_modules;
	const char *build_id = NULL;
	bool found = false;

	*agree = true;
	/* A module that was loaded again is there again: the last one counts. */
	for (size_t i = n; i-- > 0;) {
		const struct ftsan_module_entry *entry =
			&session->modules[modules != NULL ? modules->numbers[i] : i];

		if (strcmp(entry->path, path) != 0)
			continue;
		if (found)
			*agree = false;
		else
			build_id = entry->build_id;
		found = true;
	}
	return build_id;
}

const char *ftsan_session_build_id(const struct ftsan_session *session,
				   const struct ftsan_module_list *modules,
				   const char *path)
{
	const char *build_id = NULL;
	bool agree;

	if (modules != NULL)
		build_id = find_build_id(session, modules, path, &agree);
	if (build_id != NULL)
		return build_id;
	build_id = find_build_id(session, NULL, path, &agree);
	return agree ? build_id : NULL;
}

void ftsan_session_release(struct ftsan_session *session)
{
	ftsan_session_release_found(session);
	for (size_t i = 0; i < session->n_modules; i++) {
		free(session->modules[i].path);
		free(session->modules[i].build_id);
	}
	for (size_t i = 0; i < session->n_engines; i++) {
		free(session->engines[i].name);
		free(session->engines[i].reason);
		free(session->engines[i].detail);
	}
	free(session->modules);
	free(session->engines);
	ftsan_names_release(&session->module_keys);
	ftsan_names_release(&session->coverage.sums);
	ftsan_names_release(&session->coverage.left_out);
	ftsan_names_release(&session->coverage.requesters);
	ftsan_names_release(&session->runs);
	ftsan_names_release(&session->pythons);
	ftsan_names_release(&session->versions);
	ftsan_names_release(&session->commands);
	ftsan_names_release(&session->hidden_by);
	memset(session, 0, sizeof(*session));
}
