#include "sampler/arm.h"

#include "base/base.h"
#include "sampler/focus.h"
#include "sampler/patch.h"

enum { TURNS = 1 << 17 };

/* One waits for its turn. Whoever takes it leaves NULL. */
struct turn {
	struct ftsan_sample_module *module;
	struct ftsan_sample_site *_Atomic site;
};

/* @head: places that were taken; @tail: and left, by the scout. */
struct queue {
	_Atomic uint32_t head;
	uint32_t tail;
	struct turn turns[TURNS];
};

static struct queue *queues; /* mapped when the first site is armed */
enum { SOON, SOMETIME, QUEUES };
static _Atomic bool halted;
static _Atomic uint32_t unloading; /* how many threads are at it */

/* Threads that change a byte just now, and whether new ones have to wait. */
static _Atomic uint32_t busy;
static _Atomic bool forking;

/*
 * A fork in the middle of a change would leave the child a site that is busy for ever. In
 * handlers nobody may wait long, so the gate is a bounded one (see ftsan_arm_force()).
 */
static void enter(void)
{
	enum { WAITS = 1000 };

	/* Counted first, so that who shuts the gate sees it, or is seen. */
	for (unsigned i = 0;; i++) {
		atomic_fetch_add(&busy, 1);
		if (i == WAITS || !atomic_load(&forking))
			return;
		atomic_fetch_sub(&busy, 1);
		ftsan_sys_yield();
	}
}

static void leave(void)
{
	atomic_fetch_sub(&busy, 1);
}

void ftsan_arm_fork_prepare(void)
{
	enum { WAITS = 1000 };

	atomic_store(&forking, true);
	for (unsigned i = 0; i < WAITS && atomic_load(&busy) > 0; i++)
		ftsan_sys_yield();
}

void ftsan_arm_unload_begin(void)
{
	enum { WAITS = 100000 };

	atomic_fetch_add(&unloading, 1);
	/* Who is past the gate finishes its byte; who comes later sees that it is shut.
	 */
	for (unsigned i = 0; i < WAITS && atomic_load(&busy) > 0; i++)
		ftsan_sys_yield();
}

void ftsan_arm_unload_end(void)
{
	/* In the child of a fork by a destructor it began in the parent. */
	if (atomic_load(&unloading) > 0)
		atomic_fetch_sub(&unloading, 1);
}

void ftsan_arm_fork_done(void)
{
	atomic_store(&forking, false);
}

void ftsan_arm_halt(bool halt)
{
	atomic_store_explicit(&halted, halt, memory_order_seq_cst);
}

void ftsan_arm_fork_child(void)
{
	/* Those who were at it are threads of the parent. */
	atomic_store(&busy, 0);
	atomic_store(&unloading, 0);
	ftsan_arm_fork_done();
}

static bool move(struct ftsan_sample_site *site, uint8_t from, uint8_t to)
{
	return atomic_compare_exchange_strong(&site->state, &from, to);
}

static bool arm(const struct ftsan_sample_module *module, struct ftsan_sample_site *site)
{
	if (!move(site, FTSAN_SITE_UNARMED, FTSAN_SITE_BUSY))
		return false;
	ftsan_patch_byte(ftsan_site_address(module, site), FTSAN_CPU_BREAKPOINT);
	atomic_store(&site->state, FTSAN_SITE_ARMED);
	return true;
}

static bool disarm(const struct ftsan_sample_module *module,
		   struct ftsan_sample_site *site)
{
	if (!move(site, FTSAN_SITE_ARMED, FTSAN_SITE_BUSY))
		return false;
	ftsan_patch_byte(ftsan_site_address(module, site), site->original);
	atomic_store(&site->state, FTSAN_SITE_UNARMED);
	return true;
}

/* Is it the module's, and is that there? Who was told of a site some time ago asks. */
static bool belongs(const struct ftsan_sample_module *module,
		    const struct ftsan_sample_site *site)
{
	return atomic_load_explicit(&module->state, memory_order_acquire) ==
		       FTSAN_MODULE_READY &&
	       site >= module->sites && site < module->sites + module->n_sites;
}

bool ftsan_arm_site(const struct ftsan_sample_module *module,
		    struct ftsan_sample_site *site)
{
	bool done;

	if (atomic_load_explicit(&halted, memory_order_seq_cst))
		return false;
	enter();
	done = atomic_load(&unloading) == 0 && belongs(module, site) && arm(module, site);
	leave();
	/* Halted meanwhile: whoever halts may have been past this site. */
	if (done && atomic_load_explicit(&halted, memory_order_seq_cst)) {
		enter();
		(void)disarm(module, site);
		leave();
	}
	return done;
}

static bool make_queues(void)
{
	if (queues == NULL)
		queues = ftsan_sys_map(QUEUES * sizeof(*queues));
	return queues != NULL;
}

static void arm_chosen(struct ftsan_sample_module *module)
{
	struct ftsan_sample_site *site;
	bool whole = !ftsan_focus_on();
	uint32_t at = 0;

	while (!whole && (site = ftsan_focus_next(module, &at, &whole)) != NULL)
		(void)ftsan_arm_site(module, site);
	for (uint32_t i = 0; whole && i < module->n_sites; i++)
		(void)ftsan_arm_site(module, &module->sites[i]);
}

void ftsan_arm_module(struct ftsan_sample_module *module)
{
	if (!make_queues())
		return;
	arm_chosen(module);
	module->armed_once = true;
}

void ftsan_disarm_module(struct ftsan_sample_module *module)
{
	for (uint32_t i = 0; i < module->n_sites; i++) {
		struct ftsan_sample_site *site = &module->sites[i];

		if (atomic_load_explicit(&site->state, memory_order_relaxed) ==
		    FTSAN_SITE_UNARMED)
			continue;
		enter();
		/* Busy: its armer looks whether it is halted, its trapper restores it. */
		(void)disarm(module, site);
		leave();
	}
	module->armed_once = false;
}

enum ftsan_trap_claim ftsan_arm_claim(const struct ftsan_sample_module *module,
				      struct ftsan_sample_site *site)
{
	bool ours;

	enter();
	ours = disarm(module, site);
	leave();
	return ours ? FTSAN_TRAP_OURS : FTSAN_TRAP_STALE;
}

void ftsan_arm_force(const struct ftsan_sample_module *module,
		     struct ftsan_sample_site *site)
{
	ftsan_patch_byte(ftsan_site_address(module, site), site->original);
	atomic_store(&site->state, FTSAN_SITE_UNARMED);
}

void ftsan_arm_later(struct ftsan_sample_module *module, struct ftsan_sample_site *site,
		     bool soon)
{
	struct queue *queue = queues == NULL ? NULL : &queues[soon ? SOON : SOMETIME];
	struct turn *turn;

	if (queue == NULL)
		return;
	turn = &queue->turns[atomic_fetch_add(&queue->head, 1) % TURNS];
	/* Full: the one that was there never comes back. */
	if (atomic_load_explicit(&turn->site, memory_order_relaxed) != NULL)
		ftsan_count(sampler_sites_lost);
	turn->module = module;
	atomic_store_explicit(&turn->site, site, memory_order_release);
}

/* The site of a turn that was taken out of its order. */
static struct ftsan_sample_site hole;

static void arm_turn(struct turn *turn)
{
	struct ftsan_sample_module *module = turn->module;

	(void)ftsan_arm_site(module, atomic_exchange(&turn->site, &hole));
}

/* take_oldest() - false: nobody waits, or is still coming. */
static bool take_oldest(struct queue *queue)
{
	while (queue->tail != atomic_load(&queue->head)) {
		struct turn *turn = &queue->turns[queue->tail % TURNS];
		struct ftsan_sample_site *site = atomic_load(&turn->site);

		if (site == NULL)
			return false;
		if (site != &hole)
			arm_turn(turn);
		atomic_store(&turn->site, NULL);
		queue->tail++;
		if (site != &hole)
			return true;
	}
	return false;
}

/*
 * take_newest() - what runs now. A program with a hundred thousand sites behind it comes
 * to the oldest after a minute.
 */
static bool take_newest(struct queue *queue)
{
	enum { LOOKS = 256 };
	uint32_t head = atomic_load(&queue->head);

	for (uint32_t i = 1; i <= LOOKS && head - i + 1 != queue->tail; i++) {
		struct turn *turn = &queue->turns[(head - i) % TURNS];
		struct ftsan_sample_site *site = atomic_load(&turn->site);

		if (site == NULL || site == &hole)
			continue;
		arm_turn(turn);
		return true;
	}
	return false;
}

/* take_known() - the newest, or the oldest, unless there are enough of them. */
static bool take_known(struct ftsan_turns *turns, bool newest)
{
	struct queue *queue = &queues[SOMETIME];

	if (turns->known == 0 || !(newest ? take_newest(queue) : take_oldest(queue)))
		return false;
	turns->known--;
	return true;
}

void ftsan_arm_turns(struct ftsan_turns turns)
{
	static uint32_t round;

	if (queues == NULL)
		return;
	for (; turns.all > 0; turns.all--) {
		bool done = false;

		switch (round++ % 4) {
		case 0:
			done = take_known(&turns, false);
			break;
		case 1:
			done = take_newest(&queues[SOON]);
			break;
		case 2:
			done = take_known(&turns, true);
			break;
		default:
			break;
		}
		if (!done && !take_oldest(&queues[SOON]) && !take_known(&turns, false))
			return;
	}
}
