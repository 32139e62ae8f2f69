#include "crash/dying.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

#include "base/base.h"
#include "crash/alarm.h"
#include "crash/ask.h"
#include "crash/crash.h"
#include "crash/last_words.h"
#include "crash/second.h"
#include "crash/suspect.h"
#include "hooks/hooks.h"
#include "process/process.h"
#include "runtime/runtime.h"
#include "stacks/stacks.h"

enum {
	SIGNALLED = 128, /* what a shell makes of it */
};

/* Some hundred threads on a busy machine answer in that time, and then it is written. */
static const uint64_t ANSWER_NS = 700000000;
static const uint64_t ALARM_NS = 5000000000;
static const uint64_t KEEPER_NS = 1500000000;

/* The one who reports: pid and thread, because a fork copies what is written here. */
static _Atomic uint64_t reporter;
static _Atomic bool told;
/* The one whose questions are answered; the answers are its own until it leaves. */
static _Atomic uint64_t keeper;

/* What the process dies of, whatever comes on top of it; written by the reporter. Without
 * a signal: of nothing yet. */
static struct {
	int sig;
	siginfo_t info;
	unsigned failed; /* reports of it */
} first;

/* Waits for another thread to leave, or to have died with the process, and answers it. */
static bool keep_room(uint64_t wait_ns, const void *ucontext)
{
	uint64_t self = ftsan_sys_self(), end = ftsan_sys_now_ns() + wait_ns, other = 0;

	while (!atomic_compare_exchange_strong(&keeper, &other, self) && other != self) {
		if (other >> 32 == self >> 32 && ftsan_sys_now_ns() >= end)
			return false;
		/* Of the process that forked this one: it is not here. */
		if (other >> 32 != self >> 32)
			continue;
		ftsan_ask_answer(ucontext);
		ftsan_sys_sleep(1000000);
		other = 0;
	}
	return true;
}

static void leave_room(void)
{
	uint64_t self = ftsan_sys_self();

	(void)atomic_compare_exchange_strong(&keeper, &self, 0);
}

/* A debugger stops at each of our signals; it sees all threads by itself. */
static bool is_traced(void)
{
	static const char key[] = "TracerPid:\t";
	char text[2048];
	int fd = ftsan_sys_open("/proc/self/status", O_RDONLY | O_CLOEXEC, 0);
	ssize_t n = fd < 0 ? -1 : ftsan_sys_read(fd, text, sizeof(text) - 1);
	const char *at;

	if (fd >= 0)
		(void)ftsan_sys_close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	at = strstr(text, key);
	return at != NULL && at[sizeof(key) - 1] != '0';
}

/* The report takes too long: the process dies on the handler's return. */
static bool is_overdue(const siginfo_t *info, void *ucontext)
{
	if (!ftsan_alarm_is(info) || atomic_load(&reporter) != ftsan_sys_self())
		return false;
	ftsan_alarm_disarm();
	ftsan_signal_die(first.sig, &first.info, ucontext);
	return true;
}

/* --- the report -----------------------------------------------------------------------
 */

static struct ftsan_death death_of(int sig, const siginfo_t *info, const void *uc,
				   const struct ftsan_asked *answers)
{
	return (struct ftsan_death){
		.signal = sig,
		.info = info,
		.ucontext = uc,
		.message = sig == SIGABRT ? ftsan_last_words() : NULL,
		.witness = answers->witness,
		.n_witnesses = answers->n,
		.silent = answers->silent,
		.n_silent = answers->n_silent,
		.untold = answers->untold,
	};
}

static void ask(int sig, const siginfo_t *info, const void *uc, struct ftsan_asked *out)
{
	struct ftsan_death death;

	ftsan_ask_all(out, uc, ANSWER_NS, !is_traced());
	death = death_of(sig, info, uc, out);
	ftsan_look_for_second(&death, out);
}

static void tell(int sig, const siginfo_t *info, const void *uc,
		 const struct ftsan_asked *answers)
{
	struct ftsan_death death = death_of(sig, info, uc, answers);

	(void)ftsan_crash_report(&death);
	(void)ftsan_runtime_end("signal", SIGNALLED + sig);
}

static void report(int sig, const siginfo_t *info, const void *uc)
{
	const struct ftsan_suspect *suspect = ftsan_suspect_of(sig, info, uc);
	static struct ftsan_asked asked;

	if (suspect != NULL && suspect->asked) {
		tell(sig, &suspect->info, &suspect->uc, &suspect->answers);
		return;
	}
	if (suspect != NULL) {
		info = &suspect->info;
		uc = &suspect->uc;
	}
	ask(sig, info, uc, &asked);
	tell(sig, info, uc, &asked);
}

/*
 * Another thread is at it: this one says where it stands, and waits for the end. True:
 * what the other one told was a hang, and this one's death is still to be told.
 */
static bool stand_by(const void *ucontext)
{
	uint64_t end = ftsan_sys_now_ns() + ALARM_NS + ANSWER_NS;

	while (!atomic_load(&told) && ftsan_sys_now_ns() < end) {
		if (atomic_load(&reporter) == 0)
			return true;
		ftsan_ask_answer(ucontext);
		ftsan_sys_sleep(1000000);
	}
	return false;
}

static void begin_with(int sig, const siginfo_t *info)
{
	first.sig = sig;
	first.info = *info;
	first.failed = 0;
}

/*
 * Our own report has failed, in a handler on top of its own: what killed the process is
 * told without looking at anything, and it dies of that.
 */
static void tell_less(int sig, const siginfo_t *info, void *ucontext)
{
	static struct ftsan_witness bare;
	struct ftsan_asked less = {.witness = &bare, .n = 1};
	uint64_t bit;

	/* In the report of a hang: nothing has died before. */
	if (first.sig == 0)
		begin_with(sig, info);
	bit = FTSAN_SIGBIT(first.sig);
	if (first.failed++ == 0 && !atomic_load(&told)) {
		struct ftsan_death death =
			death_of(first.sig, &first.info, ucontext, &less);

		bare.tid = ftsan_sys_gettid();
		death.plain = true;
		death.message = ftsan_last_place(ftsan_context_ip(ucontext));
		(void)ftsan_crash_report(&death);
		(void)ftsan_runtime_end("signal", SIGNALLED + first.sig);
		atomic_store(&told, true);
	}
	ftsan_signal_die(first.sig, &first.info, ucontext);
	(void)ftsan_sys_sigmask(SIG_UNBLOCK, &bit, NULL);
}

static bool become_reporter(void)
{
	uint64_t self = ftsan_sys_self(), other = 0;

	while (!atomic_compare_exchange_strong(&reporter, &other, self)) {
		if (other >> 32 == self >> 32)
			return false;
		/* Of the process that forked this one. */
		atomic_store(&told, false);
	}
	return true;
}

/*
 * Returns when the finding is written, or can't be, within some seconds. A second thread
 * that dies meanwhile waits in here.
 */
static void on_dying(int sig, const siginfo_t *info, const void *ucontext)
{
	if (!ftsan_preload_own() || !ftsan_preload_options()->crash)
		return;
	/* Of two that fault at a time, the one whose handler still prints dies first:
	 * what it died of is known, and of the other one perhaps no more than that it is
	 * sent. */
	(void)keep_room(KEEPER_NS, ucontext);
	while (!become_reporter()) {
		if (atomic_load(&reporter) == ftsan_sys_self()) {
			tell_less(sig, info, (void *)ucontext);
			return;
		}
		if (!stand_by(ucontext))
			return;
	}
	begin_with(sig, info);
	ftsan_alarm_arm(ALARM_NS);
	report(sig, info, ucontext);
	ftsan_alarm_disarm();
	atomic_store(&told, true);
}

/*
 * faulthandler's: of the interpreter's own handlers the only one with SA_NODEFER
 * (Modules/faulthandler.c, faulthandler_enable(); Python/pylifecycle.c, PyOS_setsig();
 * 3.11 to 3.15). It prints, puts the former action back and raises the signal anew.
 */
static bool is_faulthandler(const struct sigaction *act)
{
	uintptr_t handler = (uintptr_t)act->sa_sigaction;
	const struct ftsan_host *host = ftsan_runtime_host();

	return (act->sa_flags & SA_NODEFER) && ftsan_module_of(handler) != NULL &&
	       ftsan_module_of(handler) == ftsan_module_of((uintptr_t)host->py_runtime);
}

/*
 * Whether the process dies of it is not known: a handler that prints a traceback and
 * sends the signal anew (faulthandler's) loses where it was. What is needed is kept.
 */
static void on_suspect(int sig, const siginfo_t *info, const void *ucontext,
		       const struct sigaction *handler)
{
	struct ftsan_suspect *suspect;
	bool dies;

	if (!ftsan_preload_own() || !ftsan_preload_options()->crash)
		return;
	dies = is_faulthandler(handler);
	/* A signal that was sent to a program that handles it is its business. */
	if (!dies && info->si_code <= 0)
		return;
	/* NULL after a fault of our own in what is done below, too: the handler is to
	 * have its turn. */
	suspect = ftsan_suspect_note(sig, info, ucontext);
	/* Only where the process is all but sure to die: others recover. */
	if (suspect == NULL || !dies || is_traced() || !keep_room(0, ucontext))
		return;
	suspect->asking = true;
	ask(sig, info, ucontext, &suspect->answers);
	suspect->asking = false;
	suspect->asked = true;
}

static void on_survived(void)
{
	ftsan_suspect_forget();
	if (atomic_load(&keeper) != 0)
		leave_room();
}

/*
 * Bare, the process would be dead by now: the other thread's signal is what it ends of,
 * not this one's exit(), which would take the finding with it.
 */
static void on_leaving(void)
{
	uint64_t end = ftsan_sys_now_ns() + ALARM_NS + ANSWER_NS, self = ftsan_sys_self();
	uint64_t other = atomic_load(&reporter);

	while (other != 0 && other != self && other >> 32 == self >> 32 &&
	       ftsan_sys_now_ns() < end) {
		ftsan_sys_sleep(1000000);
		other = atomic_load(&reporter);
	}
}

/*
 * Whoever started us waits no longer: a finding with all stacks. The program goes on, and
 * is ended by who asked.
 */
static bool is_hang(int sig, const siginfo_t *info, const void *ucontext)
{
	uint64_t value = (uint64_t)(uintptr_t)info->si_value.sival_ptr;
	static struct ftsan_asked asked;
	struct ftsan_death death = {.seconds = (uint32_t)value};

	if (sig != SIGTRAP || info->si_code != SI_QUEUE ||
	    (value & FTSAN_HANG_BITS) != FTSAN_HANG_MARK)
		return false;
	/* Asked in the middle of an unwind: it will be asked again. */
	if (!ftsan_preload_own() || ftsan_stack_walking() || !become_reporter())
		return true;
	first.sig = 0;
	if (keep_room(0, ucontext)) {
		ftsan_ask_all(&asked, ucontext, ANSWER_NS, !is_traced());
		death.witness = asked.witness;
		death.n_witnesses = asked.n;
		death.silent = asked.silent;
		death.n_silent = asked.n_silent;
		death.untold = asked.untold;
		(void)ftsan_crash_report(&death);
		leave_room();
	}
	atomic_store(&reporter, 0);
	return true;
}

static bool on_sent(int sig, const siginfo_t *info, void *ucontext)
{
	return ftsan_ask_signal(sig, info, ucontext) || is_overdue(info, ucontext) ||
	       is_hang(sig, info, ucontext);
}

void ftsan_dying_start(void)
{
	static const struct ftsan_signal_end end = {
		.dying = on_dying,
		.suspect = on_suspect,
		.survived = on_survived,
		.leaving = on_leaving,
	};

	(void)ftsan_ask_init();
	ftsan_last_words_start();
	ftsan_signal_tell_sent(on_sent);
	ftsan_signal_tell_end(&end);
}
