#include "words/word_race.h"

#include <fcntl.h>
#include <string.h>

#include "base/base.h"
#include "budget/budget.h"
#include "findings/findings.h"
#include "rules/rules.h"
#include "words/stall.h"

/* After a find the other thread gets ahead, as it would be without us. */
static const uint64_t HEAD_START_NS = 2u * 1000 * 1000;
/* What was exhausted gets one more stall in this time. */
static const uint64_t REFILL_NS = 100u * 1000 * 1000;

enum { OBJECTS = 256 };

/* How often an object was held up; one that comes in another's place begins anew. */
static struct {
	_Atomic uintptr_t object;
	_Atomic uint32_t stalls;
} objects[OBJECTS];

/* Set once at start. */
static const struct ftsan_word_host *host;
static uint64_t window_ns;
static uint32_t windows;
static uint32_t budget_percent;
static uint64_t began_ns;
static bool lost_updates; /* stores that change nothing are told */

void ftsan_word_race_init(const struct ftsan_options *options,
			  const struct ftsan_word_host *the_host)
{
	host = the_host;
	window_ns = (uint64_t)options->window_us * 1000;
	windows = options->windows;
	budget_percent = options->window_budget;
	lost_updates = strcmp(options->grade, "high") != 0;
	began_ns = ftsan_sys_now_ns();
}

void ftsan_word_race_fork_child(void)
{
	ftsan_stalls_fork_child();
	began_ns = ftsan_sys_now_ns();
}

/* --- reports ------------------------------------------------------------------ */

static struct ftsan_party party_of(const struct ftsan_stall *stall)
{
	const struct ftsan_thread *thread = ftsan_thread_at(stall->thread);

	return (struct ftsan_party){
		.role = FTSAN_ROLE_WRITE,
		.tid = stall->tid,
		.name = thread == NULL ? "" : thread->name,
		.access = &stall->access,
		.stack = &stall->stack,
	};
}

void ftsan_word_lost_update(struct ftsan_incident *incident)
{
	incident->headline = "lost update";
	incident->grade = "medium";
	incident->note = "The value was read and written back unchanged: what another "
			 "thread stores in between is lost.";
}

/* @unchanged: neither of the two stores has changed the value. */
static bool report(const struct ftsan_stall *stall, const struct ftsan_party *other,
		   enum ftsan_confidence confidence, bool unchanged)
{
	struct ftsan_object object;
	struct ftsan_incident incident = {
		.kind = FTSAN_KIND_RACE,
		.confidence = confidence,
		.address = stall->point.address,
		.description = "a watched word",
		.has_old = true,
		.has_new = true,
		.old_value = ftsan_watch_shown(stall->point.value, stall->point.length),
		.new_value = ftsan_watch_shown(stall->stored, stall->point.length),
		.n_parties = 2,
		.parties = {party_of(stall), *other},
	};

	if (unchanged)
		ftsan_word_lost_update(&incident);
	if (host != NULL && host->describe != NULL) {
		ftsan_object_clear(&object);
		host->describe(&stall->point, &object);
		incident.object = &object;
	}
	return ftsan_report(&incident);
}

/* --- who comes while a store is held up ----------------------------------------- */

static void report_met(struct ftsan_thread *thread, const struct ftsan_stall *stall,
		       const struct ftsan_access *access, bool unchanged,
		       const void *ucontext)
{
	struct ftsan_thread *owner = ftsan_thread_at(stall->thread);
	struct ftsan_party other;

	ftsan_stack_capture(&thread->stack, ucontext);
	other = ftsan_party_of(thread, access->role, access);
	if (owner != NULL)
		ftsan_thread_read_name(owner);
	if (report(stall, &other, FTSAN_CONFIRMED, unchanged))
		ftsan_site_prove(stall->ip);
}

static enum ftsan_role role_of(const struct ftsan_watchpoint *point, uint64_t now,
			       uint64_t stored)
{
	if (point->did != FTSAN_DID_UNKNOWN)
		return point->did == FTSAN_DID_STORE ? FTSAN_ROLE_WRITE : FTSAN_ROLE_READ;
	return ftsan_rule_word_role(point->reads, point->value, now, stored);
}

/* meet() - true when another thread was held up at the word. */
static bool meet(struct ftsan_thread *thread, const struct ftsan_watchpoint *point,
		 uint64_t now, const void *ucontext)
{
	struct ftsan_access access = {
		.address = point->address, .size = point->length, .exact = true};
	struct ftsan_stall *stall = ftsan_stall_claim(thread, &access);
	struct ftsan_word_question question;

	if (stall == NULL)
		return false;
	ftsan_count(stalls_met);
	access.role = role_of(point, now, stall->stored);
	question = (struct ftsan_word_question){
		.held = stall->access, .changed = stall->changed, .met = &access};
	if (ftsan_rule_word(&question) == FTSAN_WORD_CONFIRMED)
		report_met(thread, stall, &access, !stall->changed && now == point->value,
			   ucontext);
	ftsan_stall_give_back(stall, FTSAN_STALL_SERVED);
	return true;
}

/* --- holding a store up ------------------------------------------------------------ */

static _Atomic uint32_t *stalls_of(uintptr_t object)
{
	unsigned at = (unsigned)(object * 0x9e3779b97f4a7c15ull >> 56) % OBJECTS;

	if (atomic_exchange_explicit(&objects[at].object, object, memory_order_relaxed) !=
	    object)
		atomic_store_explicit(&objects[at].stalls, 0, memory_order_relaxed);
	return &objects[at].stalls;
}

/* length_of() - how long the store may be held up, 0: not at all. */
static uint64_t length_of(const struct ftsan_watchpoint *point, bool changed,
			  struct ftsan_site *site)
{
	uint64_t elapsed = ftsan_sys_now_ns() - began_ns;
	struct ftsan_window_question question = {
		.threads = ftsan_threads_alive(),
		.site_limit = windows * 8 + (uint32_t)(elapsed / REFILL_NS),
		.object_limit = windows + (uint32_t)(elapsed / REFILL_NS),
		.spent_ns = ftsan_counted(window_ns) + ftsan_counted(stall_ns),
		.elapsed_ns = elapsed,
		.budget_percent = budget_percent,
	};

	/* What changes nothing must not use up what others need. */
	if (!changed)
		question.object_limit /= 2;
	if (site == NULL || question.threads < 2)
		return 0;
	question.site_proven = atomic_load_explicit(&site->proven, memory_order_relaxed);
	question.site_windows =
		atomic_load_explicit(&site->windows, memory_order_relaxed);
	question.object_windows =
		atomic_load_explicit(stalls_of(point->object), memory_order_relaxed);
	question.length_ns = ftsan_rule_window_length(window_ns, question.object_windows,
						      question.object_limit);
	return ftsan_rule_open_window(&question) ? question.length_ns : 0;
}

static void fill(struct ftsan_stall *stall, const struct ftsan_thread *thread,
		 const struct ftsan_watchpoint *point, uint64_t now, void *ucontext)
{
	stall->thread = thread->index;
	stall->tid = atomic_load_explicit(&thread->tid, memory_order_relaxed);
	stall->ip = ftsan_context_ip(ucontext);
	stall->point = *point;
	stall->stored = now;
	stall->changed = now != point->value;
	stall->ordered = host != NULL && host->ordered != NULL && host->ordered(point);
	stall->access = (struct ftsan_access){.address = point->address,
					      .size = point->length,
					      .role = FTSAN_ROLE_WRITE,
					      .exact = true};
	ftsan_stack_capture(&stall->stack, ucontext);
	ftsan_stall_show(stall);
}

/* is_waiting() - does the kernel say that the thread sleeps? Unknown counts as yes. */
static bool is_waiting(int tid)
{
	char text[128];
	struct ftsan_buf path;
	ssize_t n;
	int fd;

	ftsan_buf_init(&path, text, sizeof(text));
	ftsan_buf_str(&path, "/proc/self/task/");
	ftsan_buf_i64(&path, tid);
	ftsan_buf_str(&path, "/stat");
	fd = ftsan_sys_open(ftsan_buf_cstr(&path), O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return true;
	n = ftsan_sys_read(fd, text, sizeof(text));
	(void)ftsan_sys_close(fd);
	/* "tid (name) state ...", where the name, of 15 bytes at most, may hold a ')'. */
	while (n > 0 && text[n - 1] != ')')
		n--;
	return n == 0 || n + 1 >= (ssize_t)sizeof(text) || text[n + 1] != 'R';
}

static bool inside(const struct ftsan_thread *thread, uintptr_t object,
		   struct ftsan_party *who)
{
	*who = (struct ftsan_party){.role = FTSAN_ROLE_CALL, .name = ""};
	return host != NULL && host->inside != NULL && host->inside(object, thread, who);
}

/* conclude() - nobody hit the word; @before was inside when the stall began. */
static void conclude(struct ftsan_thread *thread, struct ftsan_stall *stall,
		     bool was_inside, struct ftsan_party *before)
{
	struct ftsan_party after;
	bool is_inside = inside(thread, stall->point.object, &after);
	struct ftsan_word_question question = {
		.held = stall->access,
		.changed = stall->changed,
		.inside = was_inside || is_inside,
		.waits = stall->ordered || (is_inside && is_waiting(after.tid)),
	};

	if (ftsan_rule_word(&question) != FTSAN_WORD_PROBABLE)
		return;
	/* Who has left the operation has left its stack, too. */
	before->stack = NULL;
	ftsan_thread_read_name(thread);
	(void)report(stall, is_inside ? &after : before, FTSAN_PROBABLE, false);
}

static void wait_in(struct ftsan_thread *thread, struct ftsan_stall *stall,
		    uint64_t length)
{
	uint64_t began = ftsan_sys_now_ns();
	struct ftsan_party who;
	bool was_inside = inside(thread, stall->point.object, &who);
	uint32_t state = ftsan_stall_hold(stall, began + length);

	if (state == FTSAN_STALL_SERVED)
		(void)ftsan_sys_futex_wait(&stall->state, FTSAN_STALL_SERVED,
					   ftsan_sys_now_ns() + HEAD_START_NS);
	ftsan_count_add(stall_ns, ftsan_sys_now_ns() - began);
	if (state == FTSAN_STALL_FILLING)
		conclude(thread, stall, was_inside, &who);
	if (state != FTSAN_STALL_LEFT)
		ftsan_stall_free(stall);
}

static void stall_at(struct ftsan_thread *thread, const struct ftsan_watchpoint *point,
		     uint64_t now, void *ucontext)
{
	struct ftsan_site *site = ftsan_site_of(ftsan_context_ip(ucontext));
	uint64_t length = length_of(point, now != point->value, site);
	struct ftsan_stall *stall = length == 0 ? NULL : ftsan_stall_take();

	if (stall == NULL)
		return;
	fill(stall, thread, point, now, ucontext);
	ftsan_count(stalls);
	atomic_fetch_add_explicit(&site->windows, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(stalls_of(point->object), 1, memory_order_relaxed);
	ftsan_stall_open(stall);
	/*
	 * Another thread may have come to the word between our look and this. One of the
	 * two sees the other now, or both do and both report; the stall has served then.
	 */
	if (meet(thread, point, now, ucontext)) {
		if (ftsan_stall_hold(stall, 0) != FTSAN_STALL_LEFT)
			ftsan_stall_free(stall);
		return;
	}
	wait_in(thread, stall, length);
}

void ftsan_word_hit(struct ftsan_thread *thread, const struct ftsan_watchpoint *point,
		    void *ucontext)
{
	uint64_t now;

	if (!ftsan_watch_read(point, &now) || meet(thread, point, now, ucontext))
		return;
	/* Where loads hit, too, it is not known to be a store. */
	if (!point->reads &&
	    ftsan_rule_store_counts(now != point->value, point->did == FTSAN_DID_STORE,
				    lost_updates))
		stall_at(thread, point, now, ucontext);
}
