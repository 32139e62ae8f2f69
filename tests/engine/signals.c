/*
 * What a program can see of signal actions and masks, with and without libftsan: the
 * same expectations hold in both runs.
 */
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "support/expect.h"
#include "support/fake_runtime.h"

PRETEND_CPYTHON;

#define RESTORER 0x04000000

static sigjmp_buf recover;
static volatile sig_atomic_t handled;
static siginfo_t seen;
static sigset_t seen_mask;
static int seen_errno;

static char *volatile bad = (char *)0x1230;

static void crash(void)
{
	*bad = 1;
}

static struct sigaction action(void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction act = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};

	return act;
}

static void note(int sig, siginfo_t *info, void *uc)
{
	(void)sig;
	(void)uc;
	seen = *info;
	seen_errno = errno;
	pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
	handled++;
}

static void note_and_jump(int sig, siginfo_t *info, void *uc)
{
	note(sig, info, uc);
	siglongjmp(recover, 1);
}

static void send_fault(void)
{
	raise(SIGSEGV);
}

static void ignored_crash(void)
{
	signal(SIGSEGV, SIG_IGN);
	crash();
}

static void ignored_sent(void)
{
	signal(SIGSEGV, SIG_IGN);
	raise(SIGSEGV);
	EXPECT(signal(SIGSEGV, SIG_DFL) == SIG_IGN);
	raise(SIGSEGV);
}

static void block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	EXPECT(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
}

static void blocked_crash(void)
{
	struct sigaction act = action(note, 0);

	sigaction(SIGSEGV, &act, NULL);
	block(SIGSEGV);
	crash();
}

static void blocked_sent(void)
{
	struct sigaction act = action(note, 0);
	sigset_t set, old;

	sigaction(SIGSEGV, &act, NULL);
	block(SIGSEGV);
	raise(SIGSEGV);
	EXPECT(handled == 0);
	sigemptyset(&set);
	EXPECT(sigprocmask(SIG_SETMASK, &set, &old) == 0);
	EXPECT(handled == 1 && sigismember(&old, SIGSEGV) == 1);
}

static void handler_details(void)
{
	struct sigaction act = action(note_and_jump, 0);

	sigaddset(&act.sa_mask, SIGUSR1);
	sigaction(SIGSEGV, &act, NULL);
	for (volatile int i = 0; i < 3; i++) {
		errno = ENOTTY;
		if (sigsetjmp(recover, 1) == 0)
			crash();
		EXPECT(seen_errno == ENOTTY);
	}
	EXPECT(handled == 3);
	EXPECT(seen.si_addr == bad && seen.si_code == SEGV_MAPERR);
	EXPECT(sigismember(&seen_mask, SIGUSR1) == 1);
	EXPECT(sigismember(&seen_mask, SIGSEGV) == 1);
	EXPECT(sigismember(&seen_mask, SIGUSR2) == 0);
	pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
	EXPECT(sigismember(&seen_mask, SIGUSR1) == 0);
	EXPECT(sigismember(&seen_mask, SIGSEGV) == 0);
}

static void handler_nodefer(void)
{
	struct sigaction act = action(note_and_jump, SA_NODEFER);

	sigaction(SIGSEGV, &act, NULL);
	if (sigsetjmp(recover, 1) == 0)
		crash();
	EXPECT(handled == 1 && sigismember(&seen_mask, SIGSEGV) == 0);
}

static void crash_again(int sig)
{
	(void)sig;
	crash();
}

static void nested_crash(void)
{
	struct sigaction act = {.sa_handler = crash_again};

	sigaction(SIGSEGV, &act, NULL);
	crash();
}

static void once_only(void)
{
	struct sigaction act = action(note_and_jump, (int)SA_RESETHAND);

	sigaction(SIGSEGV, &act, NULL);
	if (sigsetjmp(recover, 1) == 0)
		crash();
	EXPECT(handled == 1);
	sigaction(SIGSEGV, NULL, &act);
	EXPECT(act.sa_handler == SIG_DFL);
	crash();
}

static void sent_details(void)
{
	struct sigaction act = action(note, 0);

	sigaction(SIGSEGV, &act, NULL);
	EXPECT(sigqueue(getpid(), SIGSEGV, (union sigval){.sival_int = 77}) == 0);
	EXPECT(handled == 1 && seen.si_code == SI_QUEUE && seen.si_value.sival_int == 77);
}

static void query(void)
{
	struct sigaction act = action(note, SA_ONSTACK), old;

	EXPECT(sigaction(SIGSEGV, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
	sigfillset(&act.sa_mask);
	EXPECT(sigaction(SIGSEGV, &act, NULL) == 0);
	EXPECT(sigaction(SIGSEGV, NULL, &old) == 0);
	EXPECT(old.sa_sigaction == note);
	EXPECT((old.sa_flags & ~RESTORER) == (SA_SIGINFO | SA_ONSTACK));
	EXPECT(sigismember(&old.sa_mask, SIGTRAP) == 1);
	EXPECT(sigismember(&old.sa_mask, SIGKILL) == 0);
	EXPECT(sigaction(SIGUSR1, &act, NULL) == 0);
	EXPECT(sigaction(SIGUSR1, NULL, &old) == 0);
	EXPECT(old.sa_sigaction == note && sigismember(&old.sa_mask, SIGSEGV) == 1);
	EXPECT(signal(SIGUSR1, SIG_DFL) != SIG_ERR);
	EXPECT(sigaction(SIGUSR1, NULL, &old) == 0);
	EXPECT(sigismember(&old.sa_mask, SIGSEGV) == 0);
	errno = 0;
	EXPECT(sigaction(SIGKILL, &act, NULL) == -1 && errno == EINVAL);
	EXPECT(sigaction(NSIG, &act, NULL) == -1);
}

/* siginterrupt(), which <signal.h> warns of. */
extern int interrupt(int sig, int flag) __asm__("siginterrupt");

static void old_interfaces(void)
{
	struct sigaction act;

	EXPECT(signal(SIGSEGV, crash_again) == SIG_DFL);
	sigaction(SIGSEGV, NULL, &act);
	EXPECT((act.sa_flags & ~RESTORER) == SA_RESTART);
	EXPECT(sigismember(&act.sa_mask, SIGSEGV) == 1);
	EXPECT(interrupt(SIGSEGV, 1) == 0);
	sigaction(SIGSEGV, NULL, &act);
	EXPECT((act.sa_flags & SA_RESTART) == 0);
	EXPECT(signal(SIGSEGV, SIG_IGN) == crash_again);
	errno = 0;
	EXPECT(signal(SIGSEGV, SIG_ERR) == SIG_ERR && errno == EINVAL);
}

static void breakpoint(void)
{
	__asm__ volatile("int3");
}

static void breakpoint_handled(void)
{
	struct sigaction act = action(note, 0);

	sigaction(SIGTRAP, &act, NULL);
	breakpoint();
	EXPECT(handled == 1);
}

static volatile uint64_t watched_word;

/* An event of the program's own; -1 where the kernel refuses it. */
static int watch_word(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_BREAKPOINT,
				       .size = sizeof(attr),
				       .sample_period = 1,
				       .exclude_kernel = 1,
				       .exclude_hv = 1,
				       .sigtrap = 1,
				       .remove_on_exec = 1,
				       .bp_type = HW_BREAKPOINT_W,
				       .bp_addr = (uintptr_t)&watched_word,
				       .bp_len = sizeof(watched_word)};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static void watchpoint_handled(void)
{
	struct sigaction act = action(note, 0);
	int event = watch_word();

	if (event < 0) {
		printf("skipped: no perf events\n");
		return;
	}
	sigaction(SIGTRAP, &act, NULL);
	watched_word = 1;
	EXPECT(handled == 1 && seen.si_addr == &watched_word);
	close(event);
}

/* Unlike a breakpoint's, its signal waits, or is ignored, and nobody dies of it. */
static void watchpoint_blocked(void)
{
	struct sigaction act = action(note, 0);
	sigset_t set;

	if (watch_word() < 0)
		return;
	sigaction(SIGTRAP, &act, NULL);
	block(SIGTRAP);
	watched_word = 1;
	EXPECT(handled == 0);
	sigemptyset(&set);
	EXPECT(sigprocmask(SIG_SETMASK, &set, NULL) == 0 && handled == 1);
	signal(SIGTRAP, SIG_IGN);
	watched_word = 2;
	EXPECT(handled == 1);
}

/* The mask in the frame is the one that holds when the handler is done. */
static void block_in_frame(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	note(sig, info, context);
	sigaddset(&uc->uc_sigmask, SIGUSR2);
	sigaddset(&uc->uc_sigmask, SIGBUS);
}

static void frame_mask(void)
{
	struct sigaction act = action(block_in_frame, 0);

	sigaction(SIGTRAP, &act, NULL);
	breakpoint();
	pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
	EXPECT(sigismember(&seen_mask, SIGUSR2) == 1);
	EXPECT(sigismember(&seen_mask, SIGBUS) == 1);
	EXPECT(sigismember(&seen_mask, SIGTRAP) == 0);
}

static void *look_at_mask(void *expected)
{
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	EXPECT(sigismember(&set, SIGSEGV) == *(int *)expected);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	return NULL;
}

static void in_thread(void *(*fn)(void *), void *argument)
{
	pthread_t thread;

	EXPECT(pthread_create(&thread, NULL, fn, argument) == 0);
	EXPECT(pthread_join(thread, NULL) == 0);
}

static void inherited_by_threads(void)
{
	int expected = 0;

	in_thread(look_at_mask, &expected);
	block(SIGSEGV);
	expected = 1;
	in_thread(look_at_mask, &expected);
	pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
	EXPECT(sigismember(&seen_mask, SIGBUS) == 0);
}

static unsigned long status_field(const char *field)
{
	char line[256];
	unsigned long value = 0;
	FILE *file = fopen("/proc/self/status", "r");

	EXPECT(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, field, strlen(field)) == 0)
			value = strtoul(line + strlen(field) + 1, NULL, 16);
	fclose(file);
	return value;
}

#define BIT(sig) (1UL << ((sig)-1))

/* In the new program, without libftsan. */
static void after_exec(void)
{
	EXPECT((status_field("SigIgn:") & BIT(SIGSEGV)) != 0);
	EXPECT((status_field("SigIgn:") & BIT(SIGBUS)) == 0);
	EXPECT((status_field("SigBlk:") & BIT(SIGTRAP)) != 0);
	EXPECT((status_field("SigBlk:") & BIT(SIGBUS)) == 0);
}

static void inherited_by_exec(void)
{
	char *failing[] = {"/nonexistent", NULL},
	     *args[] = {"signals", "after-exec", NULL};

	signal(SIGSEGV, SIG_IGN);
	block(SIGTRAP);
	EXPECT(execv(failing[0], failing) == -1 && errno == ENOENT);
	raise(SIGSEGV);
	unsetenv("LD_PRELOAD");
	execv("/proc/self/exe", args);
	expect_failed(__FILE__, __LINE__, "exec");
}

/* The child has the parent's memory: what it does to itself must not stay. */
static void vfork_child(void)
{
	struct sigaction act = action(note, 0);
	sigset_t set;
	pid_t pid;
	int status;

	sigaction(SIGSEGV, &act, NULL);
	sigfillset(&set);
	sigdelset(&set, SIGBUS);
	EXPECT(pthread_sigmask(SIG_SETMASK, &set, NULL) == 0);
	pid = vfork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_IGN);
		pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
		if (sigismember(&seen_mask, SIGSEGV) != 1 ||
		    sigismember(&seen_mask, SIGBUS) != 0)
			_exit(1);
		sigemptyset(&set);
		sigaddset(&set, SIGTRAP);
		sigprocmask(SIG_SETMASK, &set, NULL);
		unsetenv("LD_PRELOAD");
		execl("/proc/self/exe", "signals", "after-exec", NULL);
		_exit(2);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
	sigaction(SIGSEGV, NULL, &act);
	EXPECT(act.sa_sigaction == note);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	EXPECT(sigismember(&set, SIGSEGV) == 1 && sigismember(&set, SIGBUS) == 0);
}

static volatile int bottomless = 1;

static void overflow(volatile char *above)
{
	volatile char frame[4096];

	frame[0] = above[0];
	if (bottomless)
		overflow(frame);
	frame[1] = above[1];
}

static void *overflow_here(void *unused)
{
	volatile char start[2] = {0};
	stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};

	EXPECT(sigaltstack(&stack, NULL) == 0);
	if (sigsetjmp(recover, 1) == 0)
		overflow(start);
	return unused;
}

static void stack_overflow(void)
{
	struct sigaction act = action(note_and_jump, SA_ONSTACK);

	sigaction(SIGSEGV, &act, NULL);
	in_thread(overflow_here, NULL);
	EXPECT(handled == 1);
}

/* Only under the fake detector: a fault of ours in the worst of circumstances. */
static void touch_guarded(void)
{
	EXPECT(mprotect((void *)FAKE_PAGE, 4096, PROT_READ) == 0);
	errno = ENOTTY;
	*(volatile char *)FAKE_PAGE = 1;
	EXPECT(errno == ENOTTY);
}

static void touch_in_handler(int sig)
{
	(void)sig;
	touch_guarded();
	handled++;
}

static void *touch_in_thread(void *unused)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	touch_guarded();
	return unused;
}

static void guarded(void)
{
	struct sigaction act = {.sa_handler = touch_in_handler};

	touch_guarded();
	sigfillset(&act.sa_mask);
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGTRAP, &act, NULL);
	raise(SIGUSR1);
	breakpoint();
	EXPECT(handled == 2);
	in_thread(touch_in_thread, NULL);
	touch_in_thread(NULL);
}

int main(int argc, char **argv)
{
	struct rlimit no_core = {0, 0};

	if (argc > 1 && strcmp(argv[1], "after-exec") == 0) {
		after_exec();
		return 0;
	}
	setrlimit(RLIMIT_CORE, &no_core);
	EXPECT_KILLED(crash, SIGSEGV);
	EXPECT_KILLED(send_fault, SIGSEGV);
	EXPECT_KILLED(ignored_crash, SIGSEGV);
	EXPECT_KILLED(ignored_sent, SIGSEGV);
	EXPECT_KILLED(blocked_crash, SIGSEGV);
	EXPECT_SUCCESS(blocked_sent);
	EXPECT_SUCCESS(handler_details);
	EXPECT_SUCCESS(handler_nodefer);
	EXPECT_KILLED(nested_crash, SIGSEGV);
	EXPECT_KILLED(once_only, SIGSEGV);
	EXPECT_SUCCESS(sent_details);
	EXPECT_SUCCESS(query);
	EXPECT_SUCCESS(old_interfaces);
	EXPECT_KILLED(breakpoint, SIGTRAP);
	EXPECT_SUCCESS(breakpoint_handled);
	EXPECT_SUCCESS(watchpoint_handled);
	EXPECT_SUCCESS(watchpoint_blocked);
	EXPECT_SUCCESS(frame_mask);
	EXPECT_SUCCESS(inherited_by_threads);
	EXPECT_SUCCESS(inherited_by_exec);
	EXPECT_SUCCESS(vfork_child);
	EXPECT_SUCCESS(stack_overflow);
	if (preloaded())
		EXPECT_SUCCESS(guarded);
	return 0;
}
