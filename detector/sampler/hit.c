#include "sampler/hit.h"

#include "base/base.h"
#include "budget/budget.h"
#include "memory/memory.h"
#include "pages/pages.h"
#include "rules/rules.h"
#include "sampler/active.h"
#include "sampler/arm.h"
#include "sampler/budget.h"
#include "sampler/finding.h"
#include "sampler/follow.h"
#include "sampler/hold.h"
#include "sampler/modules.h"
#include "sampler/other.h"
#include "sampler/own.h"
#include "sampler/ran.h"
#include "sampler/same_word.h"
#include "sampler/words.h"
#include "stacks/stacks.h"
#include "threads/threads.h"
#include "words/words.h"

static uint64_t delay_ns;
static uintptr_t code_type;

void ftsan_hit_init(uint32_t delay_us, uintptr_t the_code_type)
{
	code_type = the_code_type;
	delay_ns = (uint64_t)delay_us * 1000;
}

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
	return address >= FTSAN_PAGE && address < FTSAN_CPU_USER_END;
}

/* What the pages' engine guards it also sees, every store of it. */
static bool left_to_others(uintptr_t address)
{
	return ftsan_arena_holds(address);
}

/* hold() - false: nobody came. */
static bool hold(struct ftsan_thread *self, const struct ftsan_access *access,
		 const struct ftsan_sampled_side *side, const struct ftsan_memory *memory,
		 const struct ftsan_same *same, unsigned more, void *ucontext)
{
	struct ftsan_hold_plan plan = {.length_ns = delay_ns, .more = more, .same = same};
	uint64_t key = same->word;
	uint64_t began = ftsan_sys_now_ns(), armed, waited;
	bool met;
	struct ftsan_hold *it = ftsan_hold_begin(self, access, side, memory);

	if (it == NULL) {
		ftsan_count(sampler_no_window);
		return true;
	}
	if (!ftsan_everyone_there())
		ftsan_same_word_arm(same);
	/* A loop is at another word by the time that it is trapped, and its site used up.
	 * But each time that the thread wakes for it, it may have to wait for a
	 * processor. */
	if (!ftsan_everyone_there() && (more > 0 || same->around != 0))
		plan.again = ftsan_same_word_arm;
	armed = ftsan_sys_now_ns();
	ftsan_count(sampler_delays);
	met = ftsan_hold_wait(it, &plan);
	if (met) {
		ftsan_count(sampler_met);
		ftsan_sample_finding(it, memory, key, ucontext);
	} else if (it->alone && !ftsan_everyone_there()) {
		ftsan_sample_changed(it, memory, key, ucontext);
	}
	waited = ftsan_sys_now_ns();
	ftsan_hold_end(it);
	ftsan_budget_spent(armed - began, waited - armed);
	return met;
}

/* Another thread is at such instructions, too, so a race could be met. */
static void count_watched(void)
{
	ftsan_count(sampler_watched);
	if (ftsan_pyquick_detached())
		ftsan_count(sampler_detached);
}

/* Of CPython's own, what is no object, and the counters in its code objects. */
static bool is_state(const struct ftsan_memory *memory)
{
	return memory->kind != FTSAN_MEMORY_OBJECT ||
	       (memory->type == code_type && code_type != 0);
}

/*
 * The interpreter's code accesses plainly what it has locked, or alone, and by atomics
 * what others look at. But what it changes in place is a plain word for everybody.
 */
static void note_plain(const struct ftsan_memory *memory, uint64_t key,
		       const struct ftsan_sampled_side *side)
{
	if (!ftsan_rule_plain(side))
		return;
	if (!side->interpreter)
		ftsan_words_note_plain(key);
	else if (side->reads && side->writes)
		ftsan_words_note_updated(memory);
}

static bool takes_turns(void)
{
	return ftsan_pygil_state(&ftsan_abi, false) == FTSAN_PYGIL_ON &&
	       ftsan_pyquick_attached();
}

static void name_word(struct ftsan_same *same, const struct ftsan_memory *memory,
		      const struct ftsan_sampled_side *side,
		      const struct ftsan_sample_site *site)
{
	same->word = side->interpreter ? ftsan_words_interpreter_key(memory)
				       : ftsan_words_key(memory);
	same->around = !side->interpreter && ftsan_site_is_indexed(site)
			       ? ftsan_words_around_key(memory)
			       : 0;
}

/* @around: where what it is an item of begins; 0: it is none */
static enum ftsan_word_use use_of(const struct ftsan_thread *self,
				  const struct ftsan_access *access,
				  const struct ftsan_sampled_side *side, uintptr_t around)
{
	enum ftsan_word_use use = ftsan_words_touch(access->address, self->index,
						    side->writes),
			    of_all = FTSAN_USE_PRIVATE;

	if (around != 0)
		of_all = ftsan_words_touch_around(around, self->index, side->writes);
	return of_all > use ? of_all : use;
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
	struct ftsan_delay_question question = {.writes = side->writes};
	struct ftsan_same same;
	uint64_t key, site_key, now;
	uint32_t at_site;

	ftsan_memory_look(access->address, &memory);
	name_word(&same, &memory, side, site);
	key = same.word;
	note_plain(&memory, key, side);
	if (side->reads)
		ftsan_words_note_read(key);
	if (!ftsan_everyone_there())
		ftsan_same_word_note(&same, module, site);
	if (ftsan_words_settled(key)) {
		(void)ftsan_ran_note(module, site, FTSAN_RAN_SHARED);
		return false;
	}
	site_key = ftsan_words_site_key(ftsan_site_address(module, site));
	at_site = ftsan_words_fruitless(site_key);
	now = ftsan_sys_now_ns();
	question.threads = ftsan_active_threads();
	question.use = use_of(self, access, side, same.around != 0 ? memory.begin : 0);
	if (question.use != FTSAN_USE_PRIVATE && !ftsan_memory_is_header(&memory))
		(void)ftsan_ran_note(module, site, FTSAN_RAN_SHARED);
	question.foreign = ftsan_memory_is_foreign(&memory);
	if (question.foreign && memory.kind == FTSAN_MEMORY_OBJECT)
		ftsan_side_note_varies(side, access, memory.begin, ucontext);
	question.state = side->interpreter &&
			 (is_state(&memory) || (site->traits & FTSAN_SITE_LOCKED) != 0);
	question.fruitless = ftsan_words_fruitless(key);
	if (question.fruitless < at_site)
		question.fruitless = at_site;
	ftsan_active_note(self->index, now);
	if (!ftsan_active_others(self->index, now))
		return ftsan_rule_interesting(&question);
	count_watched();
	question.turns = takes_turns();
	if (!ftsan_budget_may(&question))
		return ftsan_rule_interesting(&question);
	if (ftsan_memory_is_header(&memory) || on_some_stack(access->address))
		return false;
	if (ftsan_budget_take(&question) &&
	    !hold(self, access, side, &memory, &same, ftsan_rule_longer(&question),
		  ucontext)) {
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
	if (ftsan_ran_note(module, site, FTSAN_RAN_SEEN))
		ftsan_effort_new_code();
	if (is_user(access.address) && !left_to_others(access.address) &&
	    !on_stack_of(self, access.address)) {
		ftsan_site_side(&side, module, site, access.address);
		soon = ftsan_hold_meet(self, &access, &side, ucontext);
		/* Its step arms the site again. */
		if (!soon && ftsan_follow(self, &access, &side, module, site, ucontext))
			return;
		soon = soon || consider(self, &access, &side, module, site, ucontext);
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

bool ftsan_hit_int3(void *ucontext, bool active)
{
	uintptr_t pc = ftsan_context_breakpoint(ucontext);
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
	if (self != NULL && active && !ftsan_thread_is_copy(self))
		hit(self, module, site, ucontext);
	return true;
}
