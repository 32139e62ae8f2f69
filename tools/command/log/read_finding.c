#include "log/read_finding.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "log/member.h"

static void read_frame(const json_t *json, struct ftsan_view_frame *frame)
{
	const char *type = ftsan_member_string(json, "type");

	frame->python = type != NULL && strcmp(type, "python") == 0;
	frame->function = ftsan_member_string(json, "function");
	frame->file = ftsan_member_string(json, "file");
	frame->line = ftsan_member_int(json, "line", 1, 0);
	if (frame->python)
		return;
	frame->module = ftsan_member_string(json, "module");
	frame->offset = ftsan_member_address(json, "offset");
}

/* Returns the number of frames written to @frames, which has room for all. */
static unsigned read_stack(const json_t *json, struct ftsan_view_stack *stack,
			   struct ftsan_view_frame *frames)
{
	const json_t *list = ftsan_member_list(json, "frames");
	const json_t *element;
	size_t i;

	stack->role = ftsan_member_string(json, "role");
	stack->tid = ftsan_member_int(json, "tid", 1, 0);
	stack->thread = ftsan_member_string(json, "thread");
	stack->size = (uint32_t)ftsan_member_int(json, "size", 0, 0);
	stack->address = ftsan_member_address(json, "address");
	stack->atomic = ftsan_member_bool(json, "atomic");
	stack->operation = ftsan_member_string(json, "operation");
	stack->object = ftsan_member_address(json, "object");
	stack->type = ftsan_member_string(json, "object_type");
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
	const json_t *shape = ftsan_member_list(object, "shape");
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

	view->description = ftsan_member_string(object, "description");
	view->operation = ftsan_member_string(object, "operation");
	view->output = json_is_true(json_object_get(object, "output"));
	view->name = ftsan_member_string(object, "name");
	view->subject = ftsan_member_string(object, "subject");
	view->address = ftsan_member_address(object, "address");
	view->module = ftsan_member_string(object, "module");
	view->offset = ftsan_member_address(object, "offset");
	view->word = ftsan_member_int(object, "word", 0, -1);
	view->has_old = ftsan_member_integer(object, "old", &value);
	view->old_value = value;
	view->has_new = ftsan_member_integer(object, "new", &value);
	view->new_value = value;
	view->dtype = ftsan_member_string(object, "dtype");
	view->size = (uint32_t)ftsan_member_int(object, "size", 0, 0);
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
		const char *fingerprint = ftsan_member_string(one, "fingerprint");

		if (death->n_earlier == FTSAN_VIEW_EARLIER_MAX || fingerprint == NULL ||
		    strlen(fingerprint) >= sizeof(out->fingerprint))
			continue;
		strcpy(out->fingerprint, fingerprint);
		out->kind = ftsan_member_string(one, "kind");
		out->before = json_number_value(json_object_get(one, "before"));
		death->n_earlier++;
	}
}

static void read_death(struct ftsan_finding_record *finding, const json_t *json)
{
	struct ftsan_view_death *death = &finding->death;

	if (!json_is_object(json))
		return;
	death->signal = ftsan_member_string(json, "signal");
	death->cause = ftsan_member_string(json, "cause");
	death->detail = ftsan_member_string(json, "detail");
	death->race = ftsan_member_bool(json, "race");
	death->relation = ftsan_member_string(json, "relation");
	death->reg = ftsan_member_string(json, "register");
	death->value = ftsan_member_address(json, "value");
	death->n_guilty = (unsigned)ftsan_member_int(json, "guilty", 0, 1);
	death->untold = (unsigned)ftsan_member_int(json, "untold", 0, 0);
	read_silent(finding, ftsan_member_list(json, "silent"));
	read_earlier(death, ftsan_member_list(json, "earlier"));
	finding->view.death = death;
}

/* An id is "pid-n". */
static int pid_of_id(const char *id)
{
	long pid = id != NULL ? strtol(id, NULL, 10) : 0;

	return pid > 0 && pid <= INT_MAX ? (int)pid : 0;
}

int ftsan_finding_read(struct ftsan_finding_record *finding, const json_t *json)
{
	struct ftsan_view *view = &finding->view;

	view->id = ftsan_member_string(json, "id");
	view->pid = pid_of_id(view->id);
	view->time = json_number_value(json_object_get(json, "time"));
	view->kind = ftsan_member_string(json, "kind");
	view->confidence = ftsan_member_string(json, "confidence");
	view->fingerprint = ftsan_member_string(json, "fingerprint");
	view->also = ftsan_member_string(json, "also");
	view->evidence = ftsan_member_string(json, "evidence");
	view->culprit = ftsan_member_string(json_object_get(json, "culprit"), "function");
	view->culprit_module =
		ftsan_member_string(json_object_get(json, "culprit"), "module");
	view->title = ftsan_member_string(json, "title");
	view->gil_forced = ftsan_member_bool(json, "gil_forced");
	view->grade = ftsan_member_string(json, "grade");
	view->note = ftsan_member_string(json, "note");
	view->advice = ftsan_member_string(json, "advice");
	if (view->kind == NULL || view->fingerprint == NULL)
		return -EBADMSG;
	finding->tests = ftsan_member_list(json, "tests");
	read_object(view, json_object_get(json, "object"));
	read_stacks(finding, ftsan_member_list(json, "stacks"));
	read_death(finding, json_object_get(json, "death"));
	return 0;
}

void ftsan_finding_clear(struct ftsan_finding_record *finding)
{
	free(finding->stacks);
	free(finding->frames);
	free(finding->silent);
}
