#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "base/annot.h"
#include "xmemory.h"

void ftsan_source_init(struct ftsan_source *source, bool trusted)
{
	source->process = -1;
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

static struct ftsan_process *process_of(struct ftsan_session *session,
					const struct ftsan_source *source)
{
	return source->process >= 0 ? &session->processes[source->process] : NULL;
}

/* Takes over @from, which becomes empty. */
static void keep_record(struct ftsan_record *to, struct ftsan_record *from)
{
	ftsan_record_clear(to);
	*to = *from;
	memset(from, 0, sizeof(*from));
}

static bool same_run(const struct ftsan_session *session, const char *run)
{
	return session->run == NULL || (run != NULL && strcmp(run, session->run) == 0);
}

/*
 * A file may hold records of several runs: FILE.PID is appended to, and pids come
 * around again. So each process record decides anew.
 */
static void take_process(struct ftsan_session *session, struct ftsan_source *source,
			 struct ftsan_record *record)
{
	struct ftsan_process *process;

	source->accept = same_run(session, record->process.run);
	source->process = -1;
	if (!source->accept)
		return;
	session->processes = ftsan_xgrow(session->processes, session->n_processes,
					 &session->processes_capacity, sizeof(*process));
	process = &session->processes[session->n_processes];
	memset(process, 0, sizeof(*process));
	keep_record(&process->record, record);
	source->process = (long)session->n_processes++;
}

static void take_module(struct ftsan_session *session, const struct ftsan_record *record)
{
	const char *build_id = record->module.build_id;
	struct ftsan_module_entry *entry;

	for (size_t i = 0; i < session->n_modules; i++)
		if (strcmp(session->modules[i].path, record->module.path) == 0)
			return;
	session->modules = ftsan_xgrow(session->modules, session->n_modules,
				       &session->modules_capacity, sizeof(*entry));
	entry = &session->modules[session->n_modules++];
	entry->path = ftsan_xstrdup(record->module.path);
	entry->build_id = ftsan_xstrdup(build_id != NULL ? build_id : "");
}

static void take_engine(struct ftsan_process *process, struct ftsan_record *record)
{
	struct ftsan_record *engine;

	if (process == NULL)
		return;
	process->engines = ftsan_xgrow(process->engines, process->n_engines,
				       &process->engines_capacity, sizeof(*engine));
	engine = &process->engines[process->n_engines++];
	memset(engine, 0, sizeof(*engine));
	keep_record(engine, record);
}

static struct ftsan_found *find_fingerprint(struct ftsan_session *session,
					    const char *fingerprint)
{
	for (size_t i = 0; i < session->n_found; i++)
		if (strcmp(session->found[i].fingerprint, fingerprint) == 0)
			return &session->found[i];
	return NULL;
}

static struct ftsan_found *add_found(struct ftsan_session *session,
				     const struct ftsan_view *view)
{
	struct ftsan_found *found;

	session->found = ftsan_xgrow(session->found, session->n_found,
				     &session->found_capacity, sizeof(*found));
	found = &session->found[session->n_found++];
	memset(found, 0, sizeof(*found));
	found->kind = ftsan_xstrdup(view->kind);
	found->fingerprint = ftsan_xstrdup(view->fingerprint);
	found->confidence = ftsan_xstrdup("");
	return found;
}

static void take_finding(struct ftsan_session *session, struct ftsan_process *process,
			 struct ftsan_record *record)
{
	const struct ftsan_view *view = &record->finding.view;
	const char *confidence = view->confidence != NULL ? view->confidence : "unknown";
	struct ftsan_found *found = find_fingerprint(session, view->fingerprint);
	bool news = found == NULL;

	if (process != NULL)
		process->findings++;
	if (news)
		found = add_found(session, view);
	found->processes++;
	if (!news &&
	    ftsan_confidence_rank(confidence) <= ftsan_confidence_rank(found->confidence))
		return;
	free(found->confidence);
	found->confidence = ftsan_xstrdup(confidence);
	if (session->on_finding != NULL)
		session->on_finding(session->argument, session, &record->finding);
}

static void take_end(struct ftsan_session *session, struct ftsan_process *process,
		     struct ftsan_record *record)
{
	const char *fingerprint;
	json_t *count;

	json_object_foreach(record->end.duplicates, fingerprint, count)
	{
		struct ftsan_found *found = find_fingerprint(session, fingerprint);

		if (found != NULL && json_is_integer(count) &&
		    json_integer_value(count) > 0)
			found->repeats += (uint64_t)json_integer_value(count);
	}
	if (process != NULL)
		keep_record(&process->end, record);
}

static void take(struct ftsan_session *session, struct ftsan_source *source,
		 struct ftsan_record *record)
{
	struct ftsan_process *process = process_of(session, source);

	switch (record->type) {
	case FTSAN_RECORD_MODULE:
		take_module(session, record);
		break;
	case FTSAN_RECORD_ENGINE:
		take_engine(process, record);
		break;
	case FTSAN_RECORD_FINDING:
		take_finding(session, process, record);
		break;
	case FTSAN_RECORD_COVERAGE:
		if (process != NULL)
			keep_record(&process->coverage, record);
		break;
	case FTSAN_RECORD_END:
		take_end(session, process, record);
		break;
	default:
		break;
	}
}

void ftsan_session_line(struct ftsan_session *session, struct ftsan_source *source,
			const char *text, size_t length)
{
	struct ftsan_record record;

	if (text == NULL || ftsan_record_parse(&record, text, length) != 0) {
		/* Somebody else's records are not ours to complain about. */
		if (source->accept)
			session->bad_lines++;
		return;
	}
	if (record.type == FTSAN_RECORD_PROCESS)
		take_process(session, source, &record);
	else if (source->accept)
		take(session, source, &record);
	ftsan_record_clear(&record);
}

const char *ftsan_session_build_id(const struct ftsan_session *session, const char *path)
{
	for (size_t i = 0; i < session->n_modules; i++)
		if (strcmp(session->modules[i].path, path) == 0)
			return session->modules[i].build_id[0] != '\0'
				       ? session->modules[i].build_id
				       : NULL;
	return NULL;
}

static void release_process(struct ftsan_process *process)
{
	for (size_t i = 0; i < process->n_engines; i++)
		ftsan_record_clear(&process->engines[i]);
	free(process->engines);
	ftsan_record_clear(&process->coverage);
	ftsan_record_clear(&process->end);
	ftsan_record_clear(&process->record);
}

void ftsan_session_release(struct ftsan_session *session)
{
	for (size_t i = 0; i < session->n_processes; i++)
		release_process(&session->processes[i]);
	for (size_t i = 0; i < session->n_found; i++) {
		free(session->found[i].kind);
		free(session->found[i].confidence);
		free(session->found[i].fingerprint);
	}
	for (size_t i = 0; i < session->n_modules; i++) {
		free(session->modules[i].path);
		free(session->modules[i].build_id);
	}
	free(session->processes);
	free(session->found);
	free(session->modules);
	memset(session, 0, sizeof(*session));
}
