#include "results/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "common/common.h"
#include "log/log.h"
#include "results/module_coverage.h"
#include "results/session_same.h"

void ftsan_source_init(struct ftsan_source *source, bool trusted)
{
	memset(source, 0, sizeof(*source));
	source->accept = trusted;
}

static bool same_run(const struct ftsan_session *session, const char *run)
{
	return session->run == NULL || (run != NULL && strcmp(run, session->run) == 0);
}

static void add_command(struct ftsan_names *commands, const json_t *argv)
{
	char *line = ftsan_json_command(argv);

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

static void add_refused(struct ftsan_names *refused,
			const struct ftsan_process_record *process)
{
	char *text = ftsan_xprintf("CPython %s is not known to this ftsan%s%s",
				   process->python != NULL ? process->python
							   : "of this process",
				   process->refused != NULL ? ", " : "",
				   process->refused != NULL ? process->refused : "");

	ftsan_names_add(refused, text, 1);
	free(text);
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
	source->latent = process->latent;
	source->python_known = process->python_known;
	if (!process->python_known)
		add_refused(&session->coverage.refused, process);
	source->process = ++session->n_processes;
	session->n_attached += process->attached;
	ftsan_note_time(&session->first, &session->last, process->time);
	add_name(&session->runs, process->run);
	add_name(&session->pythons, process->python);
	add_name(&session->versions, process->version);
	if (process->root)
		add_command(&session->commands, process->argv);
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
	source->engines_on += engine->active;
	source->sampled |= engine->active && same_text(engine->name, "sampler");
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

int ftsan_session_signal(const struct ftsan_session *session, int pid)
{
	for (uint64_t i = 0; i < session->n_deaths && i < FTSAN_DEATHS_KEPT; i++)
		if (session->deaths[i].pid == pid)
			return session->deaths[i].signal;
	return 0;
}

void ftsan_session_death(struct ftsan_session *session, int pid, int signal)
{
	if (ftsan_session_signal(session, pid) != 0)
		return;
	if (session->n_deaths < FTSAN_DEATHS_KEPT)
		session->deaths[session->n_deaths] = (struct ftsan_death){pid, signal};
	session->n_deaths++;
}

/* What it told as its status is what a shell would make of its death. */
static void take_own_death(struct ftsan_session *session,
			   const struct ftsan_source *source,
			   const struct ftsan_end_record *end)
{
	if (source->open && end->reason != NULL && strcmp(end->reason, "signal") == 0 &&
	    end->status > FTSAN_EXIT_SIGNAL)
		ftsan_session_death(session, source->pid,
				    end->status - FTSAN_EXIT_SIGNAL);
}

static void take_end(struct ftsan_session *session, struct ftsan_source *source,
		     const struct ftsan_end_record *end)
{
	const char *fingerprint;
	json_t *count;

	json_object_foreach(end->duplicates, fingerprint, count)
	{
		long number = ftsan_session_find(session, fingerprint, NULL);

		if (number != FTSAN_NO_NAME && json_integer_value(count) > 0)
			session->found[number].repeats +=
				(uint64_t)json_integer_value(count);
	}
	if (source->open && end->findings > (json_int_t)source->findings)
		session->lost += end->findings - (json_int_t)source->findings;
	take_own_death(session, source, end);
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
	case FTSAN_RECORD_CHILD:
		ftsan_session_death(session, record->child.pid, record->child.signal);
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

static bool skimmed_module(struct ftsan_session *session, struct ftsan_source *source,
			   const struct ftsan_skim *skim)
{
	char path[4096], build_id[128];

	if (!skim->fields[FTSAN_SKIM_PATH].string ||
	    !skim->fields[FTSAN_SKIM_BUILD_ID].string ||
	    !ftsan_skim_copy(skim, FTSAN_SKIM_PATH, path, sizeof(path)) ||
	    !ftsan_skim_copy(skim, FTSAN_SKIM_BUILD_ID, build_id, sizeof(build_id)))
		return false;
	ftsan_session_module(session, source, path, build_id);
	return true;
}

/* Nobody needs more of a thread's record than that it is one. */
static bool skimmed_thread(const struct ftsan_skim *skim)
{
	const char *tid = skim->fields[FTSAN_SKIM_TID].text;

	return tid != NULL && !skim->fields[FTSAN_SKIM_TID].string &&
	       skim->fields[FTSAN_SKIM_TID].length <= 9 && *tid >= '1' && *tid <= '9' &&
	       memchr(tid, '.', skim->fields[FTSAN_SKIM_TID].length) == NULL;
}

/* Takes a record by its few important fields; false when it has to be parsed. */
static bool take_skimmed(struct ftsan_session *session, struct ftsan_source *source,
			 const struct ftsan_skim *skim, const char *text, size_t length)
{
	if (skim->fields[FTSAN_SKIM_V].string || skim->fields[FTSAN_SKIM_V].length != 1 ||
	    skim->fields[FTSAN_SKIM_V].text[0] != '1' ||
	    !skim->fields[FTSAN_SKIM_TYPE].string)
		return false;
	if (!source->accept)
		return !ftsan_skim_is(skim, FTSAN_SKIM_TYPE, "process");
	if (ftsan_skim_is(skim, FTSAN_SKIM_TYPE, "finding"))
		return ftsan_session_repeat(session, source, skim);
	if (ftsan_skim_is(skim, FTSAN_SKIM_TYPE, "module"))
		return skimmed_module(session, source, skim);
	if (ftsan_skim_is(skim, FTSAN_SKIM_TYPE, "coverage")) {
		ftsan_session_coverage(source, text, length);
		return true;
	}
	return ftsan_skim_is(skim, FTSAN_SKIM_TYPE, "thread") && skimmed_thread(skim);
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
	    take_skimmed(session, source, &skim, text, length))
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
	ftsan_modules_release(&session->coverage);
	ftsan_names_release(&session->coverage.watched);
	ftsan_names_release(&session->coverage.extensions);
	ftsan_names_release(&session->coverage.refused);
	ftsan_names_release(&session->coverage.children_lost);
	ftsan_names_release(&session->coverage.unread);
	ftsan_names_release(&session->coverage.sums);
	ftsan_names_release(&session->coverage.left_out);
	ftsan_names_release(&session->coverage.requesters);
	ftsan_names_release(&session->runs);
	ftsan_names_release(&session->pythons);
	ftsan_names_release(&session->versions);
	for (size_t i = 0; i < FTSAN_UNENDED_NAMED; i++)
		json_decref(session->unended_tests[i]);
	ftsan_names_release(&session->commands);
	ftsan_names_release(&session->hidden_by);
	memset(session, 0, sizeof(*session));
}

const char *ftsan_session_command(const struct ftsan_session *session)
{
	return session->commands.n == 1 ? session->commands.texts[0] : NULL;
}
