/* What a program can see of its alternate stack; the same with and without libftsan. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "support/expect.h"
#include "support/fake_runtime.h"

PRETEND_CPYTHON;

static char memory[65536];
static volatile sig_atomic_t handled;

static void *starts_without(void *unused)
{
	stack_t stack;

	EXPECT(sigaltstack(NULL, &stack) == 0 && stack.ss_flags == SS_DISABLE);
	return unused;
}

static void on_stack(int sig)
{
	stack_t stack, other = {.ss_flags = SS_DISABLE};

	(void)sig;
	EXPECT(sigaltstack(NULL, &stack) == 0 && stack.ss_flags == SS_ONSTACK);
	EXPECT(stack.ss_sp == memory);
	EXPECT(sigaltstack(&other, NULL) == -1 && errno == EPERM);
	handled++;
}

static void refused(size_t size, int flags, int error)
{
	stack_t stack = {.ss_sp = memory, .ss_size = size, .ss_flags = flags};

	errno = 0;
	EXPECT(sigaltstack(&stack, NULL) == -1 && errno == error);
}

int main(void)
{
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)}, old;
	struct sigaction act = {.sa_handler = on_stack, .sa_flags = SA_ONSTACK};
	pthread_t thread;

	starts_without(NULL);
	refused(100, 0, ENOMEM);
	refused(sizeof(memory), 0x40, EINVAL);
	EXPECT(sigaltstack(&stack, &old) == 0 && old.ss_flags == SS_DISABLE);
	EXPECT(sigaltstack(NULL, &old) == 0);
	EXPECT(old.ss_sp == memory && old.ss_size == sizeof(memory) && old.ss_flags == 0);
	sigaction(SIGUSR1, &act, NULL);
	sigaction(SIGSEGV, &act, NULL);
	raise(SIGUSR1);
	raise(SIGSEGV);
	EXPECT(handled == 2);
	EXPECT(pthread_create(&thread, NULL, starts_without, NULL) == 0);
	pthread_join(thread, NULL);
	stack.ss_flags = SS_DISABLE;
	EXPECT(sigaltstack(&stack, &old) == 0 && old.ss_sp == memory);
	return *(int *)starts_without(&(int){0});
}
