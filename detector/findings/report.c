#include "findings/report.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/base.h"
#include "findings/group.h"
#include "findings/log.h"
#include "findings/object.h"
#include "findings/seen.h"
#include "stacks/stacks.h"
#include "threads/threads.h"
#include "view/view.h"

enum {
	FRAMES_MAX = FTSAN_NATIVE_MAX + FTSAN_PYFRAME_MAX,
	STACKS_MAX = FTSAN_PARTIES_MAX + 1 + FTSAN_BYSTANDERS_MAX,
	/* A crash has the stacks of all threads. Pages that no line reaches cost nothing.
	 */
	LINE_MAX_BYTES = 4 * 1024 * 1024,
	BYSTANDER_FRAMES = 32,
};

/* How long a report waits for another thread's. Past it, something is badly stuck. */
static const uint64_t LOCK_NS = 5000u * 1000 * 1000;

/*
 * The working memory of one report at a time; too large for a handler's stack. Guarded
 * by the lock below.
 */
struct workspace {
	struct ftsan_frame woven[FRAMES_MAX];
	struct ftsan_view view;
	struct ftsan_view_death death;
	struct ftsan_view_stack stacks[STACKS_MAX];
	struct ftsan_view_frame frames[STACKS_MAX][FRAMES_MAX];
	char names[STACKS_MAX][FRAMES_MAX][FTSAN_SYMBOL_MAX];
	struct ftsan_stack alloc;
	char id[32];
	struct ftsan_group groups[FTSAN_GROUPS_MAX];
	char fingerprint[20], also[20], evidence[480];
	char title[256];
	char operation[96];
	char line[LINE_MAX_BYTES];
};

static struct workspace *work;
static uint32_t log_number = 1;	    /* the child of a fork writes another one */
static _Atomic uint32_t lock_owner; /* tid + 1 of who makes a report, 0: nobody */

/* Set once at start. */
static bool print_text;
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

int ftsan_report_init(bool print, bool keeps_gil_off, const struct ftsan_pyabi *abi,
		      uintptr_t code_type)
{
	print_text = print;
	gil_kept_off = keeps_gil_off;
	py = abi;
	py_code_type = code_type;
	if (work != NULL)
		log_number++; /* again, after a detach: another log */
	else
		work = ftsan_sys_map(sizeof(*work));
	return work == NULL ? -ENOMEM : ftsan_seen_init();
}

unsigned ftsan_report_count(void)
{
	return ftsan_seen_count();
}

unsigned ftsan_report_records(void)
{
	return ftsan_seen_logged();
}

/* --- one report at a time ----------------------------------------------------- */

/*
 * No signal may come between: a handler of the program could run into a trap of its
 * own and wait for a lock that its own thread holds.
 */
static bool take_lock(uint64_t *mask)
{
	/* Faults of ftsan_safe_read() must still reach the handler. */
	const uint64_t all = ~(1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1));
	uint32_t me = (uint32_t)ftsan_sys_gettid() + 1, holder = 0;
	uint64_t before, deadline = ftsan_sys_now_ns() + LOCK_NS;

	if (atomic_load_explicit(&lock_owner, memory_order_relaxed) == me)
		return false;
	(void)ftsan_sys_sigmask(SIG_BLOCK, &all, &before);
	while (!atomic_compare_exchange_strong(&lock_owner, &holder, me)) {
		if (ftsan_sys_now_ns() >= deadline) {
			(void)ftsan_sys_sigmask(SIG_SETMASK, &before, NULL);
			return false;
		}
		(void)ftsan_sys_futex_wait(&lock_owner, holder, deadline);
		holder = 0;
	}
	*mask = before; /* may be shared: only the holder writes it */
	return true;
}

static void drop_lock(const uint64_t *mask)
{
	atomic_store_explicit(&lock_owner, 0, memory_order_release);
	ftsan_sys_futex_wake(&lock_owner);
	(void)ftsan_sys_sigmask(SIG_SETMASK, mask, NULL);
}

static const char *put_fingerprint(char *to, size_t size, uint64_t fingerprint)
{
	static const char hex[] = "0123456789abcdef";
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, to, size);
	for (int shift = 60; shift >= 0; shift -= 4)
		ftsan_buf_char(&buf, hex[fingerprint >> shift & 15]);
	return ftsan_buf_cstr(&buf);
}

/* --- from what was recorded to a view ----------------------------------------- */

/* In the file's own addresses; 0: unknown. */
static uint64_t function_start(const struct ftsan_module *module, uintptr_t pc)
{
	struct ftsan_function_table table;
	uintptr_t begin, end;

	if (module == NULL ||
	    !ftsan_function_table_find(&table, module->begin, module->bias) ||
	    !ftsan_function_range(&table, pc, &begin, &end))
		return 0;
	return begin - module->bias;
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

		if (one == NULL)
			return;
		out->kind = kind_names[one->kind];
		(void)put_fingerprint(out->fingerprint, sizeof(out->fingerprint),
				      one->fingerprint);
		out->before = (double)(now - one->time_ns) / 1e9;
	}
}

static void show_death(struct ftsan_view *view, const struct ftsan_view_death *death)
{
	work->death = *death;
	link_earlier(&work->death);
	view->death = &work->death;
}

static void make_view(const struct ftsan_incident *incident)
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
	view->by_object = incident->by_object;
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
}

/* --- the log ------------------------------------------------------------------ */

static void begin_record(struct ftsan_buf *line, const char *type)
{
	ftsan_buf_init(line, work->line, sizeof(work->line) - 1);
	ftsan_buf_str(line, "{\"v\":1,\"type\":\"");
	ftsan_buf_str(line, type);
	ftsan_buf_char(line, '"');
}

static void write_module(struct ftsan_module *module)
{
	struct ftsan_buf line;

	if (atomic_exchange_explicit(&module->logged, log_number, memory_order_relaxed) ==
	    log_number)
		return;
	begin_record(&line, "module");
	ftsan_buf_str(&line, ",\"path\":");
	ftsan_buf_json(&line, module->path);
	ftsan_buf_str(&line, ",\"build_id\":");
	ftsan_buf_json(&line, module->build_id);
	ftsan_buf_str(&line, ",\"base\":\"");
	ftsan_buf_hex(&line, module->bias);
	ftsan_buf_str(&line, "\"}");
	(void)ftsan_log_write(&line);
}

static void write_modules_of(const struct ftsan_stack *stack)
{
	for (unsigned f = 0; stack != NULL && f < stack->n_native; f++) {
		struct ftsan_module *module = ftsan_module_of(stack->pc[f] - 1);

		if (module != NULL)
			write_module(module);
	}
}

static void write_modules(const struct ftsan_incident *incident)
{
	for (unsigned i = 0; i < incident->n_parties; i++)
		write_modules_of(incident->parties[i].stack);
	for (unsigned i = 0; i < incident->n_others; i++)
		write_modules_of(incident->others[i].stack);
}

static void write_threads(const struct ftsan_incident *incident)
{
	struct ftsan_buf line;

	for (unsigned i = 0; i < incident->n_parties; i++) {
		const struct ftsan_party *party = &incident->parties[i];

		if (party->tid == 0)
			continue;
		begin_record(&line, "thread");
		ftsan_buf_str(&line, ",\"tid\":");
		ftsan_buf_i64(&line, party->tid);
		ftsan_buf_str(&line, ",\"name\":");
		ftsan_buf_json(&line, party->name);
		ftsan_buf_char(&line, '}');
		(void)ftsan_log_write(&line);
	}
}

/* The culprit is this record's; the names are the finding's, which may be those of what
 * was seen of it before. */
static void name_finding(struct ftsan_view *view, const struct ftsan_seen *seen)
{
	const struct ftsan_group *group = &work->groups[0];
	struct ftsan_buf buf;

	view->fingerprint = put_fingerprint(work->fingerprint, sizeof(work->fingerprint),
					    seen->fingerprint);
	if (seen->also != 0)
		view->also = put_fingerprint(work->also, sizeof(work->also), seen->also);
	view->evidence = work->evidence;
	view->culprit = group->function;
	view->culprit_module = group->module;
	ftsan_buf_init(&buf, work->id, sizeof(work->id));
	ftsan_buf_i64(&buf, view->pid);
	ftsan_buf_char(&buf, '-');
	ftsan_buf_u64(&buf, ftsan_seen_logged());
	view->id = ftsan_buf_cstr(&buf);
}

static bool write_finding(const struct ftsan_incident *incident)
{
	struct ftsan_buf line;
	int error;

	write_modules(incident);
	write_threads(incident);
	ftsan_buf_init(&line, work->line, sizeof(work->line) - 1);
	ftsan_view_json(&line, &work->view);
	error = ftsan_log_write(&line);
	if (print_text || error != 0) {
		ftsan_buf_init(&line, work->line, sizeof(work->line));
		ftsan_view_text(&line, &work->view);
		ftsan_log_stderr(&line);
	}
	if (error != 0)
		ftsan_count(reports_lost);
	return error == 0;
}

static bool report_locked(const struct ftsan_incident *incident)
{
	struct ftsan_seen *seen;
	struct ftsan_buf evidence;
	unsigned n;

	make_view(incident);
	ftsan_buf_init(&evidence, work->evidence, sizeof(work->evidence));
	n = ftsan_groups(&work->view, work->groups);
	seen = ftsan_seen_find(ftsan_group_id(&work->groups[0]),
			       n > 1 ? ftsan_group_id(&work->groups[1]) : 0);
	if (seen == NULL) {
		ftsan_count(reports_lost);
		return false;
	}
	ftsan_count(reports);
	if (seen->count == 0) {
		seen->kind = incident->kind;
		seen->time_ns = ftsan_sys_now_ns();
	}
	if (!ftsan_seen_add(seen, ftsan_evidence(&work->view, &evidence))) {
		ftsan_count(reports_duplicate);
		return true;
	}
	name_finding(&work->view, seen);
	return write_finding(incident);
}

bool ftsan_report(const struct ftsan_incident *incident)
{
	uint64_t mask;
	bool written;

	if (work == NULL)
		return false;
	if (!take_lock(&mask)) {
		ftsan_count(reports_lost);
		return false;
	}
	written = report_locked(incident);
	drop_lock(&mask);
	return written;
}

void ftsan_report_duplicates(void (*visit)(uint64_t fingerprint, uint32_t more, void *to),
			     void *to)
{
	ftsan_seen_duplicates(visit, to);
}

/* --- fork --------------------------------------------------------------------- */

static uint64_t fork_mask;	    /* the holder's, while it forks */
static _Atomic uint32_t fork_owner; /* lock_owner during a fork */

void ftsan_report_fork_prepare(void)
{
	if (work != NULL && take_lock(&fork_mask))
		atomic_store_explicit(
			&fork_owner,
			atomic_load_explicit(&lock_owner, memory_order_relaxed),
			memory_order_relaxed);
}

void ftsan_report_fork_parent(void)
{
	uint64_t mask = fork_mask;
	uint32_t me = (uint32_t)ftsan_sys_gettid() + 1;

	if (atomic_load_explicit(&fork_owner, memory_order_relaxed) != me)
		return;
	atomic_store_explicit(&fork_owner, 0, memory_order_relaxed);
	drop_lock(&mask);
}

void ftsan_report_fork_child(void)
{
	uint64_t mask = fork_mask;
	bool locked = atomic_exchange_explicit(&fork_owner, 0, memory_order_relaxed) != 0;

	/* The only thread, with another tid than the one that took the lock. */
	ftsan_seen_clear();
	log_number++;
	if (locked)
		drop_lock(&mask);
	atomic_store_explicit(&lock_owner, 0, memory_order_relaxed);
}
