#include "findings/report.h"

#include <errno.h>

#include "base/base.h"
#include "findings/group.h"
#include "findings/incident_view.h"
#include "findings/introduce.h"
#include "findings/log.h"
#include "findings/report_turn.h"
#include "findings/seen.h"
#include "threads/threads.h"
#include "view/view.h"

/* A crash has the stacks of all threads. Pages that no line reaches cost nothing. */
enum { LINE_MAX_BYTES = 4 * 1024 * 1024 };

/* The working memory of one report; too large for a handler's stack. Whoever has the
 * turn has it. */
struct workspace {
	char id[32];
	struct ftsan_group groups[FTSAN_GROUPS_MAX];
	char fingerprint[20], also[20], evidence[480];
	char line[LINE_MAX_BYTES];
};

static struct workspace *work;
static uint32_t log_number = 1; /* the child of a fork writes another one */
static bool print_text;		/* set once at start */

int ftsan_report_init(bool print, bool gil_kept_off, const struct ftsan_pyabi *abi,
		      uintptr_t code_type)
{
	int error = ftsan_incident_view_init(gil_kept_off, abi, code_type);

	if (error != 0)
		return error;
	print_text = print;
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

static const char *put_fingerprint(char *to, size_t size, uint64_t fingerprint)
{
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, to, size);
	ftsan_buf_hex16(&buf, fingerprint);
	return ftsan_buf_cstr(&buf);
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
	view->culprit = group->culprit.function;
	view->culprit_module = group->culprit.module;
	ftsan_buf_init(&buf, work->id, sizeof(work->id));
	ftsan_buf_i64(&buf, view->pid);
	ftsan_buf_char(&buf, '-');
	ftsan_buf_u64(&buf, ftsan_seen_logged());
	view->id = ftsan_buf_cstr(&buf);
}

static bool write_finding(const struct ftsan_incident *incident,
			  const struct ftsan_view *view)
{
	struct ftsan_buf line;
	int error;

	ftsan_introduce(incident, log_number, work->line, sizeof(work->line));
	ftsan_buf_init(&line, work->line, sizeof(work->line) - 1);
	ftsan_view_json(&line, view);
	error = ftsan_log_write(&line);
	if (print_text || error != 0) {
		ftsan_buf_init(&line, work->line, sizeof(work->line));
		ftsan_view_text(&line, view);
		ftsan_log_stderr(&line);
	}
	if (error != 0)
		ftsan_count(reports_lost);
	return error == 0;
}

static bool report_locked(const struct ftsan_incident *incident)
{
	struct ftsan_view *view = ftsan_incident_view(incident);
	struct ftsan_seen *seen;
	struct ftsan_buf evidence;
	unsigned n;

	ftsan_buf_init(&evidence, work->evidence, sizeof(work->evidence));
	n = ftsan_groups(view, work->groups);
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
	if (!ftsan_seen_add(seen, ftsan_evidence(view, &evidence))) {
		ftsan_count(reports_duplicate);
		return true;
	}
	name_finding(view, seen);
	return write_finding(incident, view);
}

struct ftsan_party ftsan_party_of(struct ftsan_thread *thread, enum ftsan_role role,
				  const struct ftsan_access *access)
{
	ftsan_thread_read_name(thread);
	return (struct ftsan_party){
		.role = role,
		.tid = atomic_load_explicit(&thread->tid, memory_order_relaxed),
		.name = thread->name,
		.access = access,
		.stack = &thread->stack,
	};
}

bool ftsan_report(const struct ftsan_incident *incident)
{
	uint64_t mask;
	bool written;

	if (work == NULL)
		return false;
	if (!ftsan_report_turn_take(&mask)) {
		ftsan_count(reports_lost);
		return false;
	}
	written = report_locked(incident);
	ftsan_report_turn_drop(&mask);
	return written;
}

void ftsan_report_duplicates(void (*visit)(uint64_t fingerprint, uint32_t more, void *to),
			     void *to)
{
	ftsan_seen_duplicates(visit, to);
}

void ftsan_report_fork_prepare(void)
{
	if (work != NULL)
		ftsan_report_turn_fork_prepare();
}

void ftsan_report_fork_parent(void)
{
	ftsan_report_turn_fork_parent();
}

void ftsan_report_fork_child(void)
{
	ftsan_seen_clear();
	log_number++;
	ftsan_report_turn_fork_child();
}
