#include "log/log_reader.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "log/member.h"

static int read_process(struct ftsan_record *record)
{
	struct ftsan_process_record *process = &record->process;
	const json_t *options = ftsan_member_object(record->json, "options");
	const char *mode = options != NULL ? ftsan_member_string(options, "mode") : NULL;

	process->pid = ftsan_member_int(record->json, "pid", 1, 0);
	process->run = ftsan_member_string(record->json, "run");
	process->exe = ftsan_member_string(record->json, "exe");
	process->python = ftsan_member_string(record->json, "python");
	process->gil = ftsan_member_string(record->json, "gil");
	process->version = ftsan_member_string(record->json, "ftsan");
	process->argv = ftsan_member_list(record->json, "argv");
	process->time = json_number_value(json_object_get(record->json, "time"));
	process->root = ftsan_member_bool(record->json, "root");
	process->attached = ftsan_member_bool(record->json, "attached");
	process->free_threaded = ftsan_member_bool(record->json, "free_threaded");
	process->refused = ftsan_member_string(record->json, "python_refused");
	/* A log that does not say is of a version that knew no other ones. */
	process->python_known = json_object_get(record->json, "python_frames") == NULL ||
				ftsan_member_bool(record->json, "python_frames");
	process->latent = mode != NULL && strcmp(mode, "race") != 0;
	return process->pid > 0 ? 0 : -EBADMSG;
}

static int read_module(struct ftsan_record *record)
{
	record->module.path = ftsan_member_string(record->json, "path");
	record->module.build_id = ftsan_member_string(record->json, "build_id");
	return record->module.path != NULL ? 0 : -EBADMSG;
}

static int read_engine(struct ftsan_record *record)
{
	struct ftsan_engine_record *engine = &record->engine;

	engine->name = ftsan_member_string(record->json, "name");
	engine->active = ftsan_member_bool(record->json, "active");
	engine->reason = ftsan_member_string(record->json, "reason");
	engine->detail = ftsan_member_string(record->json, "detail");
	engine->canary_known = json_is_boolean(json_object_get(record->json, "canary"));
	engine->canary = ftsan_member_bool(record->json, "canary");
	return engine->name != NULL ? 0 : -EBADMSG;
}

static int read_coverage(struct ftsan_record *record)
{
	record->coverage.gil = ftsan_member_string(record->json, "gil");
	record->coverage.gil_requested_by =
		ftsan_member_list(record->json, "gil_requested_by");
	record->coverage.left_out = ftsan_member_object(record->json, "buffers_left_out");
	return 0;
}

static int read_end(struct ftsan_record *record)
{
	record->end.reason = ftsan_member_string(record->json, "reason");
	record->end.status = ftsan_member_int(record->json, "status", 0, -1);
	record->end.findings = ftsan_member_int(record->json, "findings", 0, -1);
	record->end.duplicates = ftsan_member_object(record->json, "duplicates");
	return 0;
}

static int read_child(struct ftsan_record *record)
{
	record->child.pid = ftsan_member_int(record->json, "pid", 1, 0);
	record->child.signal = ftsan_member_int(record->json, "signal", 1, 0);
	return record->child.pid > 0 && record->child.signal > 0 ? 0 : -EBADMSG;
}

static int read_finding(struct ftsan_record *record)
{
	return ftsan_finding_read(&record->finding, record->json);
}

static int read_thread(struct ftsan_record *record)
{
	return ftsan_member_int(record->json, "tid", 1, 0) > 0 ? 0 : -EBADMSG;
}

static int read_running(struct ftsan_record *record)
{
	record->tests.tests = ftsan_member_list(record->json, "tests");
	return record->tests.tests != NULL ? 0 : -EBADMSG;
}

static int read_test(struct ftsan_record *record)
{
	record->tests.fingerprint = ftsan_member_string(record->json, "fingerprint");
	record->tests.suppressed = ftsan_member_string(record->json, "suppressed");
	record->tests.tests = ftsan_member_list(record->json, "tests");
	return record->tests.fingerprint != NULL ? 0 : -EBADMSG;
}

static int read_typed(struct ftsan_record *record, const char *type)
{
	static const struct {
		const char *name;
		enum ftsan_record_type type;
		int (*read)(struct ftsan_record *);
	} types[] = {
		{"process", FTSAN_RECORD_PROCESS, read_process},
		{"module", FTSAN_RECORD_MODULE, read_module},
		{"thread", FTSAN_RECORD_THREAD, read_thread},
		{"engine", FTSAN_RECORD_ENGINE, read_engine},
		{"finding", FTSAN_RECORD_FINDING, read_finding},
		{"coverage", FTSAN_RECORD_COVERAGE, read_coverage},
		{"end", FTSAN_RECORD_END, read_end},
		{"child", FTSAN_RECORD_CHILD, read_child},
		{"running", FTSAN_RECORD_RUNNING, read_running},
		{"test", FTSAN_RECORD_TEST, read_test},
	};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(types); i++) {
		if (strcmp(type, types[i].name) == 0) {
			record->type = types[i].type;
			return types[i].read(record);
		}
	}
	return 0;
}

int ftsan_record_parse(struct ftsan_record *record, const char *line, size_t length)
{
	json_int_t version = 0;
	const char *type;
	int error = -EBADMSG;

	memset(record, 0, sizeof(*record));
	record->json = json_loadb(line, length, 0, NULL);
	type = ftsan_member_string(record->json, "type");
	if (type != NULL && ftsan_member_integer(record->json, "v", &version)) {
		if (version == 1)
			error = read_typed(record, type);
		else if (version > 1)
			error = -ENOTSUP;
	}
	if (error != 0)
		ftsan_record_clear(record);
	return error;
}

void ftsan_record_clear(struct ftsan_record *record)
{
	if (record->type == FTSAN_RECORD_FINDING)
		ftsan_finding_clear(&record->finding);
	json_decref(record->json);
	memset(record, 0, sizeof(*record));
}
