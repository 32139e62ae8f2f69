/* In a process without CPython, libftsan changes nothing that can be seen. */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>

#include "support/expect.h"

/* The kernel's own answer: no wrapper in between. */
static void *kernel_handler(int sig)
{
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		unsigned long mask;
	} act;

	EXPECT(syscall(SYS_rt_sigaction, sig, NULL, &act, 8) == 0);
	return act.handler;
}

static void *nothing(void *unused)
{
	return unused;
}

int main(void)
{
	stack_t stack;
	pthread_t thread;
	DIR *tasks;
	int n = 0;

	EXPECT(!kernel_handler(SIGSEGV) && !kernel_handler(SIGTRAP) &&
	       !kernel_handler(SIGBUS));
	EXPECT(syscall(SYS_sigaltstack, NULL, &stack) == 0 &&
	       stack.ss_flags == SS_DISABLE);
	EXPECT(pthread_create(&thread, NULL, nothing, NULL) == 0);
	pthread_join(thread, NULL);
	EXPECT(signal(SIGSEGV, SIG_IGN) == SIG_DFL && kernel_handler(SIGSEGV) == SIG_IGN);
	EXPECT(!getenv("FTSAN_ROOT_PID"));
	EXPECT(logged("") <= 0);
	tasks = opendir("/proc/self/task");
	while (readdir(tasks))
		n++;
	EXPECT(n <= 2 + 2); /* the joined one may not be off the list yet, but no more */
	return 0;
}
