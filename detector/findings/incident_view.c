#include "findings/incident_view.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "findings/object.h"
#include "findings/seen.h"
#include "stacks/stacks.h"
#include "threads/threads.h"

enum {
	FRAMES_MAX = FTSAN_NATIVE_MAX + FTSAN_PYFRAME_MAX,
	STACKS_MAX = FTSAN_PARTIES_MAX + 1 + FTSAN_BYSTANDERS_MAX,
	BYSTANDER_FRAMES = 32,
};

/* What a view is made of; too large for a handler's stack. The holder of the report's
 * turn has it. */
struct workspace {
	struct ftsan_frame woven[FRAMES_MAX];
	struct ftsan_view view;
	struct ftsan_view_death death;
	struct ftsan_view_stack stacks[STACKS_MAX];
	struct ftsan_view_frame frames[STACKS_MAX][FRAMES_MAX];
	char names[STACKS_MAX][FRAMES_MAX][FTSAN_SYMBOL_MAX];
	struct ftsan_stack alloc;
	char title[256];
	char operation[96];
};

static struct workspace *work;

/* Set once at start. */
static bool gil_kept_off;
static const struct ftsan_pyabi *py;
static uintptr_t py_code_type;

static const char *const kind_names[] = {
	[FTSAN_KIND_RACE] = "race",
	[FTSAN_KIND_USE_AFTER_FREE] = "use-after-free",
	[FTSAN_KIND_HAZARD] = "hazard",
	[FTSAN_KIND_BAD_CODE] = "bad-code",
	[FTSAN_KIND_NO_EXCEPTION] = "no-exception",
	[FTSAN_KIND_CRASH] = "crash",
	[FTSAN_KIND_HANG] = "hang",
};

static const char *const confidence_names[] = {
	[FTSAN_CONFIRMED] = "confirmed",
	[FTSAN_PROBABLE] = "probable",
	[FTSAN_LATENT] = "latent",
	[FTSAN_UNKNOWN] = "unknown",
};

static const char *const role_names[] = {
	[FTSAN_ROLE_READ] = "read",   [FTSAN_ROLE_WRITE] = "write",
	[FTSAN_ROLE_ALLOC] = "alloc", [FTSAN_ROLE_FREE] = "free",
	[FTSAN_ROLE_CALL] = "call",   [FTSAN_ROLE_CRASH] = "crash",
};

int ftsan_incident_view_init(bool keeps_gil_off, const struct ftsan_pyabi *abi,
			     uintptr_t code_type)
{
	gil_kept_off = keeps_gil_off;
	py = abi;
	py_code_type = code_type;
	if (work == NULL)
		work = ftsan_sys_map(sizeof(*work));
	return work == NULL ? -ENOMEM : 0;
}

/* In the file's own addresses; 0: unknown. */
static uint64_t function_start(const struct ftsan_module *module, uintptr_t pc)
{
	uintptr_t start = ftsan_function_start(pc);

	return start == 0 ? 0 : start - module->bias;
}

static void fill_native(struct ftsan_view_frame *out, uintptr_t pc, char *name)
{
	const struct ftsan_module *module = ftsan_module_of(pc);

	out->python = false;
	out->module = module == NULL ? NULL : module->path;
	out->offset = module == NULL ? pc : pc - module->bias;
	out->start = 0;
	if (ftsan_symbol_name(pc, name) != 0) {
		name[0] = '\0';
		out->start = function_start(module, pc);
	}
	out->function = name;
	out->file = NULL;
	out->line = 0;
}

static void fill_python(struct ftsan_view_frame *out, const struct ftsan_pyframe *frame)
{
	*out = (struct ftsan_view_frame){.python = true,
					 .function = frame->function,
					 .file = frame->file,
					 .line = frame->line};
}

static void fill_stack(unsigned at, const struct ftsan_party *party, unsigned most)
{
	struct ftsan_view_stack *out = &work->stacks[at];
	unsigned n = 0;

	*out = (struct ftsan_view_stack){.role = role_names[party->role],
					 .tid = party->tid,
					 .thread = party->name,
					 .operation = party->operation,
					 .object = party->object,
					 .type = party->type,
					 .frames = work->frames[at]};
	if (party->access != NULL) {
		out->size = party->access->exact ? party->access->size : 0;
		out->address = party->access->address;
		out->atomic = party->access->atomic;
	}
	if (party->stack != NULL)
		n = ftsan_stack_weave(party->stack, ftsan_symbol_is_eval, work->woven);
	if (n > most)
		n = most;
	for (unsigned i = 0; i < n; i++) {
		const struct ftsan_frame *frame = &work->woven[i];

		if (frame->python)
			fill_python(&work->frames[at][i], frame->frame);
		else
			fill_native(&work->frames[at][i], frame->pc, work->names[at][i]);
	}
	out->n_frames = n;
}

/* alloc_party() - the little that was noted when the buffer was allocated. */
static struct ftsan_party alloc_party(const struct ftsan_alloc_site *site, int tid)
{
	struct ftsan_stack *stack = &work->alloc;

	stack->n_native = site->pc != 0;
	stack->pc[0] = site->pc - 1; /* back into the call */
	stack->n_python = 0;
	stack->truncated = true;
	if (py != NULL && site->code != 0 &&
	    ftsan_pyframe_resolve(py, site->code, site->instr, site->tlbc, py_code_type,
				  &stack->python[0]))
		stack->n_python = 1;
	return (struct ftsan_party){
		.role = FTSAN_ROLE_ALLOC, .tid = tid, .name = "", .stack = stack};
}

static void show_object(struct ftsan_view *view, const struct ftsan_object *object)
{
	view->description = object->description;
	view->name = object->name[0] != '\0' ? object->name : NULL;
	view->subject = object->subject[0] != '\0' ? object->subject : NULL;
	view->word = object->word;
	view->n_shape = object->n_shape;
	for (int i = 0; i < object->n_shape; i++)
		view->shape[i] = object->shape[i];
	view->dtype = object->dtype[0] != '\0' ? object->dtype : NULL;
}

/* Debug information tells which member it is: to who reads the log. */
static void locate(struct ftsan_view *view)
{
	const struct ftsan_module *module =
		view->address == 0 ? NULL : ftsan_module_of(view->address);

	if (module == NULL)
		return;
	view->module = module->path;
	view->offset = view->address - module->bias;
}

static void make_title(struct ftsan_view *view, const struct ftsan_incident *incident)
{
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, work->title, sizeof(work->title));
	if (incident->title != NULL) {
		ftsan_buf_str(&buf, incident->title);
	} else {
		ftsan_buf_str(&buf, incident->headline != NULL
					    ? incident->headline
					    : ftsan_kind_headline(view->kind));
		ftsan_buf_str(&buf, " on ");
		ftsan_buf_str(&buf,
			      view->description != NULL ? view->description : "memory");
		if (view->operation != NULL) {
			ftsan_buf_str(&buf, view->output ? ", an output of "
							 : ", an input of ");
			ftsan_buf_str(&buf, view->operation);
		}
	}
	view->title = ftsan_buf_cstr(&buf);
}

/* "ndarray.repeat", or the bare name of a C function. */
static void name_operation(struct ftsan_view *view, const struct ftsan_incident *incident)
{
	struct ftsan_buf buf;

	if (incident->operation == NULL)
		return;
	ftsan_buf_init(&buf, work->operation, sizeof(work->operation));
	ftsan_buf_str(&buf, incident->operation_owner);
	if (buf.length > 0)
		ftsan_buf_char(&buf, '.');
	ftsan_buf_str(&buf, incident->operation);
	view->operation = ftsan_buf_cstr(&buf);
}

/* The latest first. */
static void link_earlier(struct ftsan_view_death *death)
{
	uint64_t now = ftsan_sys_now_ns();

	for (death->n_earlier = 0; death->n_earlier < FTSAN_VIEW_EARLIER_MAX;
	     death->n_earlier++) {
		const struct ftsan_seen *one = ftsan_seen_latest(death->n_earlier);
		struct ftsan_view_earlier *out = &death->earlier[death->n_earlier];
		struct ftsan_buf text;

		if (one == NULL)
			return;
		out->kind = kind_names[one->kind];
		ftsan_buf_init(&text, out->fingerprint, sizeof(out->fingerprint));
		ftsan_buf_hex16(&text, one->fingerprint);
		(void)ftsan_buf_cstr(&text);
		out->before = (double)(now - one->time_ns) / 1e9;
	}
}

static void show_death(struct ftsan_view *view, const struct ftsan_view_death *death)
{
	work->death = *death;
	link_earlier(&work->death);
	view->death = &work->death;
}

struct ftsan_view *ftsan_incident_view(const struct ftsan_incident *incident)
{
	struct ftsan_view *view = &work->view;
	struct ftsan_party alloc;
	unsigned n = incident->n_parties;

	memset(view, 0, sizeof(*view));
	view->pid = ftsan_sys_getpid();
	view->time = (double)ftsan_sys_wall_ns() / 1e9;
	view->kind = kind_names[incident->kind];
	view->confidence = confidence_names[incident->confidence];
	view->gil_forced = gil_kept_off && ftsan_gil_requests() > 0 &&
			   ftsan_pygil_state(py, false) != FTSAN_PYGIL_ON;
	view->address = incident->address;
	locate(view);
	view->word = -1;
	view->n_shape = -1;
	view->has_old = incident->has_old;
	view->has_new = incident->has_new;
	view->old_value = incident->old_value;
	view->new_value = incident->new_value;
	view->description = incident->description;
	if (incident->object != NULL)
		show_object(view, incident->object);
	view->size = incident->size;
	if (incident->name != NULL)
		view->name = incident->name;
	view->grade = incident->grade;
	view->note = incident->note;
	view->advice = incident->advice;
	view->output = incident->output;
	name_operation(view, incident);
	for (unsigned i = 0; i < n; i++)
		fill_stack(i, &incident->parties[i], FRAMES_MAX);
	if (incident->alloc != NULL) {
		alloc = alloc_party(incident->alloc, incident->alloc_tid);
		fill_stack(n++, &alloc, FRAMES_MAX);
	}
	for (unsigned i = 0; i < incident->n_others && i < FTSAN_BYSTANDERS_MAX; i++)
		fill_stack(n++, &incident->others[i], BYSTANDER_FRAMES);
	if (incident->death != NULL)
		show_death(view, incident->death);
	view->stacks = work->stacks;
	view->n_stacks = n;
	make_title(view, incident);
	return view;
}
