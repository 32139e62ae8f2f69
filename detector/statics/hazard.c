/*
 * Hazards: what the rules grade high goes to the log before the store goes on. What they
 * grade medium waits a moment, because the next words of the same call, or the next call,
 * often make it worse, and one bug is to be one finding.
 */
#include <stddef.h>
#include <string.h>

#include "base/base.h"
#include "budget/budget.h"
#include "findings/findings.h"
#include "statics/config.h"
#include "statics/store.h"
#include "statics/report_text.h"
#include "threads/threads.h"

enum { WAITING_MAX = 64, REPORTS_PER_SITE = 8 };
static const uint64_t WAIT_NS = 100u * 1000 * 1000;
/* Several threads are there that may be held up: are they at this module? */
static const uint64_t WAIT_THREADS_NS = 1000u * 1000 * 1000;

/* One hazard, with everything that its report needs. */
struct hazard {
	_Atomic uint32_t state; /* enum waiting_state */
	uint64_t due;
	int tid;
	char thread_name[FTSAN_THREAD_NAME];
	struct static_store store;
	struct ftsan_static_verdict verdict;
	struct ftsan_stack stack;
};

enum waiting_state { WAITING_NONE, WAITING_FILLING, WAITING, WAITING_REPORTING };

static struct hazard *waiting; /* mapped at the first use */
static _Atomic uint32_t n_waiting;

static struct hazard *hazards(void)
{
	struct hazard *mapped = __atomic_load_n(&waiting, __ATOMIC_ACQUIRE), *none = NULL;

	if (mapped != NULL)
		return mapped;
	mapped = ftsan_sys_map((WAITING_MAX + 1) * sizeof(*mapped));
	if (mapped != NULL &&
	    !__atomic_compare_exchange_n(&waiting, &none, mapped, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE)) {
		(void)ftsan_sys_unmap(mapped, (WAITING_MAX + 1) * sizeof(*mapped));
		mapped = none;
	}
	return mapped;
}

/* --- text ------------------------------------------------------------------------- */

struct texts {
	char title[512], note[640], description[160], name[FTSAN_SYMBOL_MAX + 32];
};

static void make_title(struct texts *texts, const struct hazard *hazard)
{
	const struct static_store *store = &hazard->store;
	struct ftsan_buf out;

	ftsan_buf_init(&out, texts->title, sizeof(texts->title));
	static_name_function(&out, &hazard->stack);
	ftsan_buf_str(&out, " stores to the static ");
	ftsan_buf_str(&out, texts->name);
	ftsan_buf_str(&out, " of ");
	ftsan_buf_str(&out, static_module_name(store->module));
	ftsan_buf_str(&out, " outside of its import, under no lock");
	if (store->n_held > 0)
		ftsan_buf_str(&out, " of its own");
	(void)ftsan_buf_cstr(&out);
}

static void make_note(struct texts *texts, const struct hazard *hazard)
{
	struct ftsan_buf out;

	ftsan_buf_init(&out, texts->note, sizeof(texts->note));
	ftsan_buf_str(&out, ftsan_static_danger(hazard->verdict.class));
	if (hazard->store.detached)
		ftsan_buf_str(&out, " The thread had let the interpreter go: builds with "
				    "a GIL have this hazard, too.");
	else if (!static_config.free_threaded)
		ftsan_buf_str(&out, " The thread held the GIL: this build orders such "
				    "stores, one without a GIL does not.");
	static_put_outer_locks(&out, &hazard->store);
	(void)ftsan_buf_cstr(&out);
}

static void make_texts(struct texts *texts, const struct hazard *hazard)
{
	const struct static_store *store = &hazard->store;
	struct ftsan_buf name, description;

	ftsan_buf_init(&name, texts->name, sizeof(texts->name));
	ftsan_buf_init(&description, texts->description, sizeof(texts->description));
	static_describe_variable(&name, &description, store->module,
				 store->access.address);
	make_title(texts, hazard);
	make_note(texts, hazard);
}

static void report(struct hazard *hazard)
{
	const struct static_store *store = &hazard->store;
	struct texts texts = {0};
	struct ftsan_incident incident = {
		.kind = FTSAN_KIND_HAZARD,
		.confidence = FTSAN_LATENT,
		.address = store->access.address,
		.title = texts.title,
		.description = texts.description,
		.grade = ftsan_grade_name(hazard->verdict.grade),
		.note = texts.note,
		.advice = ftsan_static_advice(hazard->verdict.class),
		.has_old = true,
		.has_new = store->has_new,
		.old_value = (int64_t)store->old,
		.new_value = (int64_t)store->new,
		.n_parties = 1,
	};

	make_texts(&texts, hazard);
	/* Where there are no names, all that a function stores to is one bug. */
	if (texts.name[0] != '+')
		incident.name = texts.name;
	incident.parties[0] = (struct ftsan_party){
		.role = FTSAN_ROLE_WRITE,
		.tid = hazard->tid,
		.name = hazard->thread_name,
		.access = &store->access,
		.stack = &hazard->stack,
	};
	(void)ftsan_report(&incident);
}

/* --- now or later ----------------------------------------------------------------- */

static struct hazard *take_place(void)
{
	struct hazard *all = hazards();

	for (unsigned i = 0; all != NULL && i < WAITING_MAX; i++) {
		uint32_t none = WAITING_NONE;

		if (atomic_compare_exchange_strong(&all[i].state, &none, WAITING_FILLING))
			return &all[i];
	}
	return NULL;
}

/* The same function's, or the same variable's, that is less than what is known now. */
static bool is_less(const struct hazard *hazard, const struct static_store *store)
{
	const struct static_store *old = &hazard->store;

	return old->word == store->word ||
	       (old->pc == store->pc && old->module == store->module) ||
	       (old->run == store->run && old->sp == store->sp &&
		old->module == store->module);
}

static void drop_lesser(const struct static_store *store)
{
	struct hazard *all = hazards();

	for (unsigned i = 0; all != NULL && i < WAITING_MAX; i++) {
		uint32_t waits = WAITING;

		if (atomic_load_explicit(&all[i].state, memory_order_acquire) !=
			    WAITING ||
		    !is_less(&all[i], store))
			continue;
		if (atomic_compare_exchange_strong(&all[i].state, &waits, WAITING_NONE))
			atomic_fetch_sub_explicit(&n_waiting, 1, memory_order_relaxed);
	}
}

/* In modes that hold threads up, locks of a module that several are at pass unseen. */
static bool may_share(void)
{
	return static_config.host->delays && ftsan_threads_alive() > 1;
}

static void fill(struct hazard *hazard, struct static_thread *own,
		 struct ftsan_thread *thread, struct ftsan_static_verdict verdict,
		 const void *ucontext)
{
	ftsan_stack_capture(&hazard->stack, ucontext);
	ftsan_thread_read_name(thread);
	memcpy(hazard->thread_name, thread->name, sizeof(hazard->thread_name));
	hazard->tid = atomic_load_explicit(&thread->tid, memory_order_relaxed);
	hazard->store = own->store;
	hazard->verdict = verdict;
	hazard->due = ftsan_sys_now_ns() + (may_share() ? WAIT_THREADS_NS : WAIT_NS);
}

static bool site_is_full(uintptr_t pc)
{
	struct ftsan_site *site = ftsan_site_of(pc);

	return site != NULL &&
	       atomic_fetch_add_explicit(&site->hazards, 1, memory_order_relaxed) >=
		       REPORTS_PER_SITE;
}

/* Is this more than what was said of the word before? */
static bool is_news(struct static_word *word, enum ftsan_grade grade)
{
	bool news;

	static_records_lock();
	news = grade > (enum ftsan_grade)word->reported;
	if (news)
		word->reported = (uint8_t)grade;
	static_records_unlock();
	return news;
}

void static_report_hazard(struct static_thread *own, struct ftsan_thread *thread,
			  struct ftsan_static_verdict verdict, const void *ucontext)
{
	const struct static_store *store = &own->store;
	struct hazard *hazard;

	if (verdict.grade == FTSAN_GRADE_COUNTED || !is_news(store->word, verdict.grade))
		return;
	if (verdict.grade < static_config.grade) {
		ftsan_count(statics_low);
		return;
	}
	if (verdict.grade == FTSAN_GRADE_HIGH)
		drop_lesser(store);
	if (site_is_full(store->pc))
		return;
	hazard = take_place();
	if (hazard == NULL) {
		ftsan_count(reports_lost);
		return;
	}
	fill(hazard, own, thread, verdict, ucontext);
	if (verdict.grade == FTSAN_GRADE_HIGH && !may_share()) {
		report(hazard);
		atomic_store_explicit(&hazard->state, WAITING_NONE, memory_order_release);
		return;
	}
	atomic_fetch_add_explicit(&n_waiting, 1, memory_order_relaxed);
	atomic_store_explicit(&hazard->state, WAITING, memory_order_release);
}

/* Has another store shown meanwhile that it is none? */
static bool still_one(const struct hazard *hazard)
{
	const struct static_store *store = &hazard->store;

	if (static_config.host->delays &&
	    atomic_load_explicit(&store->module->shared_ns, memory_order_relaxed) != 0)
		return false;
	return ftsan_rule_static(&store->word->facts).grade >= static_config.grade;
}

void static_hazards_poll(uint64_t now, bool all)
{
	struct hazard *place = __atomic_load_n(&waiting, __ATOMIC_ACQUIRE);

	if (place == NULL || atomic_load_explicit(&n_waiting, memory_order_relaxed) == 0)
		return;
	for (unsigned i = 0; i < WAITING_MAX; i++, place++) {
		uint32_t waits = WAITING;

		if (atomic_load_explicit(&place->state, memory_order_acquire) !=
			    WAITING ||
		    (!all && now < place->due) ||
		    !atomic_compare_exchange_strong(&place->state, &waits,
						    WAITING_REPORTING))
			continue;
		atomic_fetch_sub_explicit(&n_waiting, 1, memory_order_relaxed);
		if (still_one(place))
			report(place);
		atomic_store_explicit(&place->state, WAITING_NONE, memory_order_release);
	}
}
