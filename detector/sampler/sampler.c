#include "sampler/sampler.h"

#include <errno.h>
#include <string.h>
#include <ucontext.h>

#include "base/base.h"
#include "decode/decode.h"
#include "pages/pages.h"
#include "sampler/active.h"
#include "sampler/arm.h"
#include "sampler/budget.h"
#include "sampler/cache.h"
#include "sampler/choose.h"
#include "sampler/finding.h"
#include "sampler/hold.h"
#include "sampler/kin.h"
#include "sampler/modules.h"
#include "sampler/other.h"
#include "sampler/own.h"
#include "sampler/patch.h"
#include "sampler/traced.h"
#include "sampler/words.h"
#include "threads/threads.h"
#include "words/words.h"

/* <asm-generic/siginfo.h>: int3. */
enum { CODE_KERNEL = 0x80 };

static const struct ftsan_options *options;
static int (*iterate)(ftsan_phdr_callback, void *);
static const char *inactive_reason = "off";
static _Atomic bool active;
static _Atomic bool started; /* the second thread has come: everything is armed */
static _Atomic uint32_t threads = 1;
static int watch_error;
static bool attached;
enum { MANY = 8 }; /* threads, in a process that was attached to: nobody counted */
static uintptr_t interpreter; /* an address in the object that holds CPython */
/* When everything is to be armed although no second thread of Python's has come; 0: not
 * yet. Pushed back while modules are loaded: what imports needs no sampling. */
static _Atomic uint64_t start_due_ns;
static const uint64_t START_DELAY_NS = UINT64_C(3) * 1000 * 1000 * 1000;

/* Who changes the table of modules. */
static _Atomic uint32_t changing;

void ftsan_sampler_names(bool (*name_field)(const char *type, uintptr_t object,
					    uint64_t offset, struct ftsan_object *out))
{
	ftsan_sample_finding_names(name_field);
}

bool ftsan_sampler_active(void)
{
	return atomic_load_explicit(&active, memory_order_acquire);
}

int ftsan_sampler_init(const struct ftsan_options *the_options,
		       int (*the_iterate)(ftsan_phdr_callback, void *),
		       uintptr_t the_interpreter, const char *cache, bool the_attached)
{
	attached = the_attached;
	ftsan_cache_init(cache);
	interpreter = the_interpreter;
	options = the_options;
	iterate = the_iterate;
	if (!ftsan_decode_available())
		inactive_reason = "no decoder";
	else if (!ftsan_words_reset())
		inactive_reason = "no memory";
	else
		inactive_reason = NULL;
	if (inactive_reason != NULL)
		return -ENOTSUP;
	ftsan_sample_finding_init(strcmp(options->grade, "low") == 0);
	ftsan_budget_init(options->sampler_rate, options->sampler_budget);
	/* Threads that are there already have no event, and can't be given one. */
	watch_error = attached ? -EOPNOTSUPP : ftsan_hold_probe();
	if (attached)
		atomic_store(&threads, MANY);
	if (watch_error == 0)
		ftsan_watch_reserve(ftsan_hold_registers());
	atomic_store_explicit(&active, true, memory_order_release);
	return 0;
}

const char *ftsan_sampler_name(void)
{
	if (inactive_reason != NULL)
		return inactive_reason;
	if (watch_error == 0)
		return "one watchpoint for all threads";
	if (attached)
		return "windows by sites: threads that were there before can't be given "
		       "a "
		       "watchpoint, so both threads have to come to instructions that "
		       "are sampled";
	return "windows by sites: both threads have to come to instructions that are "
	       "sampled, because the kernel refuses perf events (sysctl "
	       "kernel.perf_event_paranoid=2, or a container with CAP_PERFMON, gives "
	       "them)";
}

/* --- modules -------------------------------------------------------------------------
 */

static bool take_table(void)
{
	enum { WAITS = 100000 };
	uint32_t none = 0;

	for (unsigned i = 0; i < WAITS; i++, none = 0) {
		if (atomic_compare_exchange_strong(&changing, &none, 1))
			return true;
		ftsan_sys_sleep(10000);
	}
	return false;
}

static void give_table(void)
{
	atomic_store_explicit(&changing, 0, memory_order_release);
}

static bool made(struct ftsan_sample_module *module)
{
	if (!ftsan_patch_open(module->text_begin, module->text_end))
		return false;
	ftsan_count_add(sampler_sites, module->n_sites);
	ftsan_count(sampler_modules);
	return true;
}

static void arm_all(void)
{
	unsigned n = ftsan_sample_modules();

	for (unsigned i = 0; i < n; i++) {
		struct ftsan_sample_module *module = ftsan_sample_module_at(i);

		if (module != NULL && !module->armed_once)
			ftsan_arm_module(module);
	}
}

static void put_start_off(void)
{
	if (atomic_load(&start_due_ns) != 0)
		atomic_store(&start_due_ns, ftsan_sys_now_ns() + START_DELAY_NS);
}

/* sample_modules() - @only, or NULL: all of them. */
static void sample_modules(const struct ftsan_module *only)
{
	/* A debugger would stop at every site. */
	if (ftsan_is_traced()) {
		ftsan_count(sampler_traced);
		return;
	}
	if (!take_table())
		return;
	(void)ftsan_modules_sample(iterate, options->modules, only, made);
	arm_all();
	give_table();
}

void ftsan_sampler_modules_changed(void)
{
	if (!ftsan_sampler_active())
		return;
	put_start_off();
	if (atomic_load(&started))
		sample_modules(NULL);
}

/* start() - once: with the second thread of Python's. */
static void start(void)
{
	bool not_yet = false;

	if (!atomic_compare_exchange_strong(&started, &not_yet, true))
		return;
	ftsan_budget_start();
	sample_modules(NULL);
}

/*
 * start_some() - a thread of a module's own comes, often while it is imported: then that
 * module is sampled, and the others when no module has been loaded for a while.
 */
static void start_some(const struct ftsan_module *module)
{
	uint64_t none = 0;

	if (atomic_load(&started))
		return;
	if (atomic_compare_exchange_strong(&start_due_ns, &none,
					   ftsan_sys_now_ns() + START_DELAY_NS))
		ftsan_budget_start();
	if (module != NULL)
		sample_modules(module);
}

/* open_events() - once, while there is one thread that all others come of. */
static void open_events(void)
{
	static _Atomic int opened_pid;
	int pid = ftsan_sys_getpid();

	if (atomic_exchange(&opened_pid, pid) != pid && watch_error == 0)
		watch_error = ftsan_hold_open();
}

/* --- threads -------------------------------------------------------------------------
 */

bool ftsan_sampler_thread_coming(uintptr_t routine)
{
	const struct ftsan_module *module;

	if (!ftsan_sampler_active())
		return false;
	module = ftsan_module_of(routine);
	open_events();
	if (module != NULL && ftsan_sample_is_runtime(module->path))
		return false;
	atomic_fetch_add(&threads, 1);
	if (module == ftsan_module_of(interpreter))
		start();
	else
		start_some(module);
	return true;
}

void ftsan_sampler_thread_failed(bool counted)
{
	if (counted)
		atomic_fetch_sub(&threads, 1);
}

void ftsan_sampler_thread_begin(struct ftsan_thread *thread, bool counted,
				uintptr_t stack_begin, uintptr_t stack_end)
{
	ftsan_sampler_of(thread)->counted = counted;
	if (counted)
		ftsan_active_note(thread->index, ftsan_sys_now_ns());
	atomic_store_explicit(&ftsan_sampler_of(thread)->stack_begin, stack_begin,
			      memory_order_relaxed);
	atomic_store_explicit(&ftsan_sampler_of(thread)->stack_end, stack_end,
			      memory_order_release);
}

void ftsan_sampler_thread_end(struct ftsan_thread *thread)
{
	if (ftsan_sampler_of(thread)->counted)
		atomic_fetch_sub(&threads, 1);
	ftsan_sampler_of(thread)->counted = false;
	atomic_store_explicit(&ftsan_sampler_of(thread)->stack_end, 0,
			      memory_order_relaxed);
}

/* --- a hit ---------------------------------------------------------------------------
 */

static bool on_stack_of(const struct ftsan_thread *thread, uintptr_t address)
{
	return address < atomic_load_explicit(&ftsan_sampler_of(thread)->stack_end,
					      memory_order_acquire) &&
	       address >= atomic_load_explicit(&ftsan_sampler_of(thread)->stack_begin,
					       memory_order_relaxed);
}

static bool on_some_stack(uintptr_t address)
{
	struct ftsan_thread *thread;

	for (uint32_t i = 0; (thread = ftsan_thread_at(i)) != NULL; i++)
		if (on_stack_of(thread, address))
			return true;
	return false;
}

static bool is_user(uintptr_t address)
{
	return address >= FTSAN_PAGE && address < UINT64_C(0x7ffffffff000);
}

/* What the pages' engine guards it also sees, every store of it. */
static bool left_to_others(uintptr_t address)
{
	return ftsan_arena_holds(address);
}

/* hold() - false: nobody came. */
static bool hold(struct ftsan_thread *self, const struct ftsan_access *access,
		 const struct ftsan_sampled_side *side, const struct ftsan_memory *memory,
		 uint64_t key, void *ucontext)
{
	uint64_t began = ftsan_sys_now_ns(), armed, waited;
	bool met;
	struct ftsan_hold *it = ftsan_hold_begin(self, access, side);

	if (it == NULL) {
		ftsan_count(sampler_no_window);
		return true;
	}
	if (!ftsan_hold_watches())
		ftsan_kin_arm(key);
	armed = ftsan_sys_now_ns();
	ftsan_count(sampler_delays);
	met = ftsan_hold_wait(it, (uint64_t)options->sampler_delay * 1000);
	if (met) {
		ftsan_count(sampler_met);
		ftsan_sample_finding(it, memory, key, ucontext);
	}
	waited = ftsan_sys_now_ns();
	ftsan_hold_end(it);
	ftsan_budget_spent(armed - began, waited - armed);
	return met;
}

/*
 * consider() - the thread is about to make this access: is it to be held for it? Returns
 * whether the site is of interest.
 */
static bool consider(struct ftsan_thread *self, const struct ftsan_access *access,
		     const struct ftsan_sampled_side *side,
		     struct ftsan_sample_module *module, struct ftsan_sample_site *site,
		     void *ucontext)
{
	struct ftsan_memory memory;
	struct ftsan_delay_question question = {
		.writes = side->writes,
		.threads = atomic_load_explicit(&threads, memory_order_relaxed)};
	uint64_t site_key = ftsan_words_site_key(ftsan_site_address(module, site));
	uint32_t at_site = ftsan_words_fruitless(site_key);
	uint64_t key, now = ftsan_sys_now_ns();

	ftsan_memory_look(access->address, &memory);
	key = ftsan_words_key(&memory);
	if (ftsan_rule_plain(side))
		ftsan_words_note_plain(key);
	if (side->reads)
		ftsan_words_note_read(key);
	if (!ftsan_hold_watches())
		ftsan_kin_note(key, module, site);
	if (ftsan_words_settled(key))
		return false;
	question.use = ftsan_words_touch(access->address, self->index, side->writes);
	question.foreign = ftsan_memory_is_foreign(&memory);
	question.fruitless = ftsan_words_fruitless(key);
	if (question.fruitless < at_site)
		question.fruitless = at_site;
	ftsan_active_note(self->index, now);
	if (!ftsan_active_others(self->index, now) || !ftsan_budget_may(&question, now))
		return ftsan_rule_interesting(&question);
	if (ftsan_memory_is_header(&memory) || on_some_stack(access->address))
		return false;
	if (ftsan_budget_take(&question, now) &&
	    !hold(self, access, side, &memory, key, ucontext)) {
		ftsan_words_note_fruitless(key);
		ftsan_words_note_fruitless(site_key);
	}
	return ftsan_rule_interesting(&question);
}

static void hit(struct ftsan_thread *self, struct ftsan_sample_module *module,
		struct ftsan_sample_site *site, void *ucontext)
{
	struct ftsan_access access = {
		.address = ftsan_site_operand(module, site, ucontext),
		.size = site->size,
		.role = (site->traits & FTSAN_SITE_WRITES) != 0 ? FTSAN_ROLE_WRITE
								: FTSAN_ROLE_READ,
		.exact = true};
	struct ftsan_sampled_side side;
	bool soon = false;

	ftsan_count(sampler_hits);
	if (ftsan_pyquick_detached())
		ftsan_count(sampler_detached);
	if (is_user(access.address) && !left_to_others(access.address) &&
	    !on_stack_of(self, access.address)) {
		ftsan_site_side(&side, module, site, access.address);
		soon = ftsan_hold_meet(self, &access, &side, ucontext) ||
		       consider(self, &access, &side, module, site, ucontext);
	}
	ftsan_arm_later(module, site, soon);
}

/*
 * A stale trap runs its instruction again, and traps again until the byte is back. One
 * that stays busy belongs to a thread that is gone: in the child of a fork.
 */
static void stale(struct ftsan_thread *self, const struct ftsan_sample_module *module,
		  struct ftsan_sample_site *site, uintptr_t pc)
{
	enum { PATIENCE = 20000 };

	if (self == NULL)
		return;
	if (ftsan_sampler_of(self)->stale_pc != pc) {
		ftsan_sampler_of(self)->stale_pc = pc;
		ftsan_sampler_of(self)->stale = 0;
	}
	if (++ftsan_sampler_of(self)->stale < PATIENCE)
		return;
	ftsan_sampler_of(self)->stale = 0;
	ftsan_arm_force(module, site);
}

static bool on_int3(void *ucontext)
{
	uintptr_t pc = ftsan_context_ip(ucontext) - 1;
	struct ftsan_sample_module *module = ftsan_sample_module_of(pc);
	struct ftsan_sample_site *site =
		module == NULL ? NULL : ftsan_sample_site_at(module, pc);
	struct ftsan_thread *self;

	if (site == NULL)
		return false;
	self = ftsan_thread_self();
	ftsan_context_set_ip(ucontext, pc);
	if (ftsan_arm_claim(module, site) == FTSAN_TRAP_STALE) {
		stale(self, module, site, pc);
		return true;
	}
	/* A step of another engine is under way: a page is open, or a register points
	 * elsewhere, until this instruction is done. Nothing may come between. */
	if (ftsan_context_steps(ucontext)) {
		ftsan_arm_later(module, site, false);
		return true;
	}
	/* In a vfork child or a raw clone there is nobody to race with. */
	if (self != NULL && ftsan_sampler_active() && !ftsan_thread_is_copy(self))
		hit(self, module, site, ucontext);
	return true;
}

bool ftsan_sampler_trap(const siginfo_t *info, void *ucontext)
{
	if (info->si_code == CODE_KERNEL)
		return on_int3(ucontext);
	return ftsan_hold_trap(info, ucontext);
}

/* --- life ----------------------------------------------------------------------------
 */

void ftsan_sampler_tick(void)
{
	uint64_t now, due;

	if (!ftsan_sampler_active())
		return;
	now = ftsan_sys_now_ns();
	due = atomic_load(&start_due_ns);
	if (!atomic_load(&started) && due != 0 && now > due)
		start();
	if (atomic_load(&started) || due != 0)
		ftsan_arm_turns(ftsan_budget_turns(now));
}

void ftsan_sampler_halt(bool halt)
{
	unsigned n = ftsan_sample_modules();

	ftsan_arm_halt(halt);
	if (!halt) {
		if (attached && ftsan_sampler_active() && !atomic_load(&started))
			start();
		else
			ftsan_sampler_modules_changed();
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct ftsan_sample_module *module = ftsan_sample_module_at(i);

		if (module != NULL)
			ftsan_disarm_module(module);
	}
}

void ftsan_sampler_fork_prepare(void)
{
	ftsan_arm_fork_prepare();
}

void ftsan_sampler_fork_parent(void)
{
	ftsan_arm_fork_done();
}

void ftsan_sampler_fork_child(void)
{
	ftsan_hold_fork_child();
	ftsan_arm_fork_done();
	atomic_store(&changing, 0);
	atomic_store(&threads, 1);
	atomic_store(&start_due_ns, 0);
	ftsan_active_reset();
	/* What is armed stays so; the events come with the child's own second thread. */
	atomic_store(&started, false);
}
