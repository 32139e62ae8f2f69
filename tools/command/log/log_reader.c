#include "log/log_reader.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "common/common.h"

static const char *get_string(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static bool get_bool(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

static bool get_integer(const json_t *object, const char *name, json_int_t *value)
{
	const json_t *member = json_object_get(object, name);

	if (!json_is_integer(member))
		return false;
	*value = json_integer_value(member);
	return true;
}

/* Within @min and INT_MAX, or @otherwise. */
static int get_int(const json_t *object, const char *name, int min, int otherwise)
{
	json_int_t value;

	if (!get_integer(object, name, &value) || value < min || value > INT_MAX)
		return otherwise;
	return (int)value;
}

/* Addresses and offsets are strings like "0x7f0a"; 0 when it is none. */
static uint64_t get_address(const json_t *object, const char *name)
{
	const char *text = get_string(object, name);
	unsigned long long value;
	char *end;

	if (text == NULL || text[0] != '0' || text[1] != 'x')
		return 0;
	errno = 0;
	value = strtoull(text, &end, 16);
	return errno == 0 && *end == '\0' ? value : 0;
}

static json_t *get_list(const json_t *object, const char *name)
{
	json_t *member = json_object_get(object, name);

	return json_is_array(member) ? member : NULL;
}

static json_t *get_object(const json_t *object, const char *name)
{
	json_t *member = json_object_get(object, name);

	return json_is_object(member) ? member : NULL;
}

static int read_process(struct ftsan_record *record)
{
	struct ftsan_process_record *process = &record->process;
	const json_t *options = get_object(record->json, "options");
	const char *mode = options != NULL ? get_string(options, "mode") : NULL;

	process->pid = get_int(record->json, "pid", 1, 0);
	process->run = get_string(record->json, "run");
	process->exe = get_string(record->json, "exe");
	process->python = get_string(record->json, "python");
	process->gil = get_string(record->json, "gil");
	process->version = get_string(record->json, "ftsan");
	process->argv = get_list(record->json, "argv");
	process->root = get_bool(record->json, "root");
	process->attached = get_bool(record->json, "attached");
	process->free_threaded = get_bool(record->json, "free_threaded");
	process->refused = get_string(record->json, "python_refused");
	/* A log that does not say is of a version that knew no other ones. */
	process->python_known = json_object_get(record->json, "python_frames") == NULL ||
				get_bool(record->json, "python_frames");
	process->latent = mode != NULL && strcmp(mode, "race") != 0;
	return process->pid > 0 ? 0 : -EBADMSG;
}

static int read_module(struct ftsan_record *record)
{
	record->module.path = get_string(record->json, "path");
	record->module.build_id = get_string(record->json, "build_id");
	return record->module.path != NULL ? 0 : -EBADMSG;
}

static int read_engine(struct ftsan_record *record)
{
	struct ftsan_engine_record *engine = &record->engine;

	engine->name = get_string(record->json, "name");
	engine->active = get_bool(record->json, "active");
	engine->reason = get_string(record->json, "reason");
	engine->detail = get_string(record->json, "detail");
	engine->canary_known = json_is_boolean(json_object_get(record->json, "canary"));
	engine->canary = get_bool(record->json, "canary");
	return engine->name != NULL ? 0 : -EBADMSG;
}

static int read_coverage(struct ftsan_record *record)
{
	record->coverage.gil = get_string(record->json, "gil");
	record->coverage.gil_requested_by = get_list(record->json, "gil_requested_by");
	record->coverage.left_out = get_object(record->json, "buffers_left_out");
	return 0;
}

static int read_end(struct ftsan_record *record)
{
	record->end.reason = get_string(record->json, "reason");
	record->end.status = get_int(record->json, "status", 0, -1);
	record->end.findings = get_int(record->json, "findings", 0, -1);
	record->end.duplicates = get_object(record->json, "duplicates");
	return 0;
}

static int read_child(struct ftsan_record *record)
{
	record->child.pid = get_int(record->json, "pid", 1, 0);
	record->child.signal = get_int(record->json, "signal", 1, 0);
	return record->child.pid > 0 && record->child.signal > 0 ? 0 : -EBADMSG;
}

static void read_frame(const json_t *json, struct ftsan_view_frame *frame)
{
	const char *type = get_string(json, "type");

	frame->python = type != NULL && strcmp(type, "python") == 0;
	frame->function = get_string(json, "function");
	frame->file = get_string(json, "file");
	frame->line = get_int(json, "line", 1, 0);
	if (frame->python)
		return;
	frame->module = get_string(json, "module");
	frame->offset = get_address(json, "offset");
}

/* Returns the number of frames written to @frames, which has room for all. */
static unsigned read_stack(const json_t *json, struct ftsan_view_stack *stack,
			   struct ftsan_view_frame *frames)
{
	const json_t *list = get_list(json, "frames");
	const json_t *element;
	size_t i;

	stack->role = get_string(json, "role");
	stack->tid = get_int(json, "tid", 1, 0);
	stack->thread = get_string(json, "thread");
	stack->size = (uint32_t)get_int(json, "size", 0, 0);
	stack->address = get_address(json, "address");
	stack->atomic = get_bool(json, "atomic");
	stack->operation = get_string(json, "operation");
	stack->object = get_address(json, "object");
	stack->type = get_string(json, "object_type");
	stack->frames = frames;
	json_array_foreach(list, i, element) if (json_is_object(element))
		read_frame(element, &frames[stack->n_frames++]);
	return stack->n_frames;
}

static size_t count_frames(const json_t *stacks)
{
	const json_t *stack;
	size_t i, count = 0;

	json_array_foreach(stacks, i, stack) count +=
		json_array_size(json_object_get(stack, "frames"));
	return count;
}

static void read_stacks(struct ftsan_finding_record *finding, const json_t *stacks)
{
	const json_t *stack;
	unsigned n_stacks = 0, n_frames = 0;
	size_t i;

	finding->stacks =
		ftsan_xcalloc(json_array_size(stacks), sizeof(*finding->stacks));
	finding->frames = ftsan_xcalloc(count_frames(stacks), sizeof(*finding->frames));
	json_array_foreach(stacks, i, stack) if (json_is_object(stack)) n_frames +=
		read_stack(stack, &finding->stacks[n_stacks++],
			   &finding->frames[n_frames]);
	finding->view.stacks = finding->stacks;
	finding->view.n_stacks = n_stacks;
}

static void read_shape(struct ftsan_view *view, const json_t *object)
{
	const json_t *shape = get_list(object, "shape");
	const json_t *extent;
	size_t i;

	view->n_shape = -1;
	if (shape == NULL || json_array_size(shape) > FTSAN_VIEW_DIMS_MAX)
		return;
	json_array_foreach(shape, i, extent)
	{
		if (!json_is_integer(extent))
			return;
		view->shape[i] = json_integer_value(extent);
	}
	view->n_shape = (int)json_array_size(shape);
}

static void read_object(struct ftsan_view *view, const json_t *object)
{
	json_int_t value = 0;

	view->description = get_string(object, "description");
	view->operation = get_string(object, "operation");
	view->output = json_is_true(json_object_get(object, "output"));
	view->name = get_string(object, "name");
	view->subject = get_string(object, "subject");
	view->address = get_address(object, "address");
	view->word = get_int(object, "word", 0, -1);
	view->has_old = get_integer(object, "old", &value);
	view->old_value = value;
	view->has_new = get_integer(object, "new", &value);
	view->new_value = value;
	view->dtype = get_string(object, "dtype");
	view->size = (uint32_t)get_int(object, "size", 0, 0);
	read_shape(view, object);
}

static void read_silent(struct ftsan_finding_record *finding, const json_t *list)
{
	const json_t *tid;
	size_t i;

	finding->silent = ftsan_xcalloc(json_array_size(list), sizeof(*finding->silent));
	json_array_foreach(list, i, tid) if (json_is_integer(tid))
		finding->silent[finding->death.n_silent++] = (int)json_integer_value(tid);
	finding->death.silent = finding->silent;
}

static void read_earlier(struct ftsan_view_death *death, const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		struct ftsan_view_earlier *out = &death->earlier[death->n_earlier];
		const char *fingerprint = get_string(one, "fingerprint");

		if (death->n_earlier == FTSAN_VIEW_EARLIER_MAX || fingerprint == NULL ||
		    strlen(fingerprint) >= sizeof(out->fingerprint))
			continue;
		strcpy(out->fingerprint, fingerprint);
		out->kind = get_string(one, "kind");
		out->before = json_number_value(json_object_get(one, "before"));
		death->n_earlier++;
	}
}

static void read_death(struct ftsan_finding_record *finding, const json_t *json)
{
	struct ftsan_view_death *death = &finding->death;

	if (!json_is_object(json))
		return;
	death->signal = get_string(json, "signal");
	death->cause = get_string(json, "cause");
	death->detail = get_string(json, "detail");
	death->race = get_bool(json, "race");
	death->relation = get_string(json, "relation");
	death->reg = get_string(json, "register");
	death->value = get_address(json, "value");
	death->n_guilty = (unsigned)get_int(json, "guilty", 0, 1);
	death->untold = (unsigned)get_int(json, "untold", 0, 0);
	read_silent(finding, get_list(json, "silent"));
	read_earlier(death, get_list(json, "earlier"));
	finding->view.death = death;
}

/* An id is "pid-n". */
static int pid_of_id(const char *id)
{
	long pid = id != NULL ? strtol(id, NULL, 10) : 0;

	return pid > 0 && pid <= INT_MAX ? (int)pid : 0;
}

static int read_finding(struct ftsan_record *record)
{
	struct ftsan_view *view = &record->finding.view;
	const json_t *json = record->json;

	view->id = get_string(json, "id");
	view->pid = pid_of_id(view->id);
	view->time = json_number_value(json_object_get(json, "time"));
	view->kind = get_string(json, "kind");
	view->confidence = get_string(json, "confidence");
	view->fingerprint = get_string(json, "fingerprint");
	view->also = get_string(json, "also");
	view->evidence = get_string(json, "evidence");
	view->culprit = get_string(json_object_get(json, "culprit"), "function");
	view->culprit_module = get_string(json_object_get(json, "culprit"), "module");
	view->title = get_string(json, "title");
	view->gil_forced = get_bool(json, "gil_forced");
	view->grade = get_string(json, "grade");
	view->note = get_string(json, "note");
	view->advice = get_string(json, "advice");
	if (view->kind == NULL || view->fingerprint == NULL)
		return -EBADMSG;
	record->finding.tests = get_list(json, "tests");
	read_object(view, json_object_get(json, "object"));
	read_stacks(&record->finding, get_list(json, "stacks"));
	read_death(&record->finding, json_object_get(json, "death"));
	return 0;
}

static int read_thread(struct ftsan_record *record)
{
	return get_int(record->json, "tid", 1, 0) > 0 ? 0 : -EBADMSG;
}

static int read_running(struct ftsan_record *record)
{
	record->tests.tests = get_list(record->json, "tests");
	return record->tests.tests != NULL ? 0 : -EBADMSG;
}

static int read_test(struct ftsan_record *record)
{
	record->tests.fingerprint = get_string(record->json, "fingerprint");
	record->tests.suppressed = get_string(record->json, "suppressed");
	record->tests.tests = get_list(record->json, "tests");
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
	type = get_string(record->json, "type");
	if (type != NULL && get_integer(record->json, "v", &version)) {
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
	if (record->type == FTSAN_RECORD_FINDING) {
		free(record->finding.stacks);
		free(record->finding.frames);
		free(record->finding.silent);
	}
	json_decref(record->json);
	memset(record, 0, sizeof(*record));
}
