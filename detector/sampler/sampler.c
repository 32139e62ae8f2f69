#include "sampler/sampler.h"

#include <errno.h>
#include <string.h>
#include <ucontext.h>

#include "base/base.h"
#include "decode/decode.h"
#include "pages/pages.h"
#include "sampler/arm.h"
#include "sampler/budget.h"
#include "sampler/choose.h"
#include "sampler/finding.h"
#include "sampler/hold.h"
#include "sampler/modules.h"
#include "sampler/other.h"
#include "sampler/own.h"
#include "sampler/patch.h"
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

/* Who changes the table of modules. */
static _Atomic uint32_t changing;

bool ftsan_sampler_active(void)
{
	return atomic_load_explicit(&active, memory_order_acquire);
}

int ftsan_sampler_init(const struct ftsan_options *the_options,
		       int (*the_iterate)(ftsan_phdr_callback, void *))
{
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
	watch_error = ftsan_hold_probe();
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

void ftsan_sampler_modules_changed(void)
{
	if (!ftsan_sampler_active() || !atomic_load(&started) || !take_table())
		return;
	(void)ftsan_modules_sample(iterate, options->modules, made);
	arm_all();
	give_table();
}

/* start() - once: the events first, while there is one thread that all others come of. */
static void start(void)
{
	bool not_yet = false;

	if (!atomic_compare_exchange_strong(&started, &not_yet, true))
		return;
	watch_error = ftsan_hold_open();
	ftsan_budget_start();
	ftsan_sampler_modules_changed();
}

/* --- threads -------------------------------------------------------------------------
 */

bool ftsan_sampler_thread_coming(uintptr_t routine)
{
	const struct ftsan_module *module;

	if (!ftsan_sampler_active())
		return false;
	module = ftsan_module_of(routine);
	if (module != NULL && ftsan_sample_is_runtime(module->path))
		return false;
	atomic_fetch_add(&threads, 1);
	start();
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

static void hold(struct ftsan_thread *self, const struct ftsan_access *access,
		 const struct ftsan_sampled_side *side, const struct ftsan_memory *memory,
		 uint64_t key, void *ucontext)
{
	uint64_t began = ftsan_sys_now_ns(), armed, waited;
	struct ftsan_hold *it = ftsan_hold_begin(self, access, side);

	if (it == NULL) {
		ftsan_count(sampler_no_window);
		return;
	}
	armed = ftsan_sys_now_ns();
	ftsan_count(sampler_delays);
	if (ftsan_hold_wait(it, (uint64_t)options->sampler_delay * 1000)) {
		ftsan_count(sampler_met);
		ftsan_sample_finding(it, memory, key, ucontext);
	} else {
		ftsan_words_note_fruitless(key);
	}
	waited = ftsan_sys_now_ns();
	ftsan_hold_end(it);
	ftsan_budget_spent(armed - began, waited - armed);
}

/* consider() - the thread is about to make this access: is it to be held for it? */
static void consider(struct ftsan_thread *self, const struct ftsan_access *access,
		     const struct ftsan_sampled_side *side, void *ucontext)
{
	struct ftsan_memory memory = {.address = 0};
	struct ftsan_delay_question question = {
		.threads = atomic_load_explicit(&threads, memory_order_relaxed)};
	uint64_t key = 0;

	if (ftsan_rule_plain(side)) {
		ftsan_memory_look(access->address, &memory);
		key = ftsan_words_key(&memory);
		ftsan_words_note_plain(key);
	}
	question.use = ftsan_words_touch(access->address, self->index, side->writes);
	if (!ftsan_budget_may(&question, ftsan_sys_now_ns()))
		return;
	if (key == 0) {
		ftsan_memory_look(access->address, &memory);
		key = ftsan_words_key(&memory);
	}
	if (ftsan_words_settled(key) || on_some_stack(access->address) ||
	    ftsan_memory_is_header(&memory))
		return;
	question.fruitless = ftsan_words_fruitless(key);
	if (ftsan_budget_take(&question, ftsan_sys_now_ns()))
		hold(self, access, side, &memory, key, ucontext);
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

	ftsan_count(sampler_hits);
	ftsan_arm_later(module, site);
	if (!is_user(access.address) || left_to_others(access.address) ||
	    on_stack_of(self, access.address))
		return;
	ftsan_site_side(&side, module, site, access.address);
	if (ftsan_hold_meet(self, &access, &side, ucontext))
		return;
	consider(self, &access, &side, ucontext);
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
	if (!ftsan_sampler_active() || !atomic_load(&started))
		return;
	ftsan_arm_turns(ftsan_budget_turns(ftsan_sys_now_ns()));
}

void ftsan_sampler_halt(bool halt)
{
	unsigned n = ftsan_sample_modules();

	ftsan_arm_halt(halt);
	if (!halt) {
		if (atomic_load(&started))
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
	/* What is armed stays so; the events come with the child's own second thread. */
	atomic_store(&started, false);
}
