#include "sampler/onset.h"

#include "base/base.h"
#include "budget/budget.h"
#include "sampler/arm.h"
#include "sampler/budget.h"
#include "sampler/focus.h"
#include "sampler/modules.h"
#include "sampler/patch.h"
#include "sampler/traced.h"

static const char *choice; /* option */
static int (*iterate)(ftsan_phdr_callback, void *);
static uintptr_t interpreter; /* an address in the object that holds CPython */
static bool attached;
static _Atomic bool started; /* the second thread has come: everything is armed */
/* When everything is to be armed although no second thread of Python's has come; 0: not
 * yet. Pushed back while modules are loaded: what imports needs no sampling. */
static _Atomic uint64_t start_due_ns;
static const uint64_t START_DELAY_NS = UINT64_C(3) * 1000 * 1000 * 1000;

/* Who changes the table of modules. */
static _Atomic uint32_t changing;

void ftsan_onset_init(const struct ftsan_onset *given)
{
	choice = given->choice;
	iterate = given->iterate;
	interpreter = given->interpreter;
	attached = given->attached;
}

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
	(void)ftsan_modules_sample(iterate, choice, ftsan_module_of(interpreter), only,
				   made);
	arm_all();
	give_table();
}

void ftsan_onset_modules_changed(void)
{
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
	/* With only some instructions armed, little would be new. */
	if (!ftsan_focus_on())
		ftsan_effort_watched();
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

void ftsan_onset_thread(const struct ftsan_module *module)
{
	if (module == ftsan_module_of(interpreter))
		start();
	else
		start_some(module);
}

void ftsan_onset_unload_begin(void)
{
	ftsan_arm_unload_begin();
}

void ftsan_onset_unload_end(bool (*is_loaded)(uintptr_t address))
{
	if (take_table()) {
		ftsan_modules_unloaded(is_loaded);
		give_table();
	}
	ftsan_arm_unload_end();
}

bool ftsan_onset_tick(uint64_t now)
{
	uint64_t due = atomic_load(&start_due_ns);

	if (!atomic_load(&started) && due != 0 && now > due)
		start();
	return atomic_load(&started) || due != 0;
}

static void disarm_all(void)
{
	unsigned n = ftsan_sample_modules();

	for (unsigned i = 0; i < n; i++) {
		struct ftsan_sample_module *module = ftsan_sample_module_at(i);

		if (module != NULL)
			ftsan_disarm_module(module);
	}
}

void ftsan_onset_halt(bool halt, bool active)
{
	ftsan_arm_halt(halt);
	if (halt)
		disarm_all();
	else if (active && attached && !atomic_load(&started))
		start();
	else if (active)
		ftsan_onset_modules_changed();
}

void ftsan_onset_fork_child(void)
{
	atomic_store(&changing, 0);
	atomic_store(&start_due_ns, 0);
	/* What is armed stays so; the events come with the child's own second thread. */
	atomic_store(&started, false);
}
