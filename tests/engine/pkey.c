/*
 * Protection keys against the real kernel and CPU: sealing, a trapped store, and what
 * other threads and signal handlers see meanwhile. Ends with 77 where there are none.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/base.h"
#include "decode/decode.h"
#include "pages/pages.h"
#include "pages/pkey.h"
#include "pages/store.h"
#include "support/expect.h"
#include "support/guard_host.h"
#include "threads/threads.h"

enum { SKIPPED = 77 };

static volatile uint64_t *word;
static _Atomic int step_seen;
static _Atomic int request, reply;
static _Atomic uint64_t others_value;

/* Whether the kernel may write to the page in the calling thread's name. */
static int write_refused(volatile uint64_t *to)
{
	int ends[2], error;
	uint64_t value = 99;

	EXPECT(pipe(ends) == 0);
	EXPECT(write(ends[1], &value, sizeof(value)) == sizeof(value));
	error = read(ends[0], (void *)to, sizeof(value)) < 0 ? errno : 0;
	close(ends[0]);
	close(ends[1]);
	return error == EFAULT;
}

/* The other thread: on request, reads the word and tries to write to it. */
static void *other(void *unused)
{
	int n;

	for (n = 1;; n++) {
		while (atomic_load(&request) < n)
			;
		if (word == NULL)
			return unused;
		others_value = *word;
		atomic_store(&reply, write_refused(word) ? n : -n);
	}
}

static void ask_other(void)
{
	int n = atomic_fetch_add(&request, 1) + 1, got;

	while ((got = atomic_load(&reply)) != n && got != -n)
		;
	EXPECT(got == n);
}

static void on_fault(int signal, siginfo_t *info, void *uc)
{
	(void)signal;
	EXPECT(ftsan_trap_fault(info, uc));
}

/* Between the store and its end: the moment in which a rung can leave the page open. */
static void on_step(int signal, siginfo_t *info, void *uc)
{
	(void)signal;
	(void)info;
	if (ftsan_pages_of(ftsan_thread_self())->step.kind == FTSAN_STEP_KEY) {
		atomic_fetch_add(&step_seen, 1);
		if (atomic_load(&request) > 0)
			ask_other();
	}
	EXPECT(ftsan_trap_step(uc));
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_sigaction = handler,
				   .sa_flags = SA_SIGINFO | SA_NODEFER};

	EXPECT(sigaction(signal, &action, NULL) == 0);
}

static volatile uint64_t *sealed(uint64_t value)
{
	const struct ftsan_alloc_site nowhere = {0};
	volatile uint64_t *made =
		ftsan_guard_alloc(FTSAN_ADAPTER_CANARY, sizeof(*made), 0, &nowhere);

	EXPECT(made != NULL);
	*made = value;
	EXPECT(ftsan_guard_publish((const void *)made));
	return made;
}

static void start(void)
{
	static struct ftsan_options options;

	ftsan_options_init(&options);
	snprintf(options.store, sizeof(options.store), "pkey");
	options.windows = 0;
	(void)ftsan_mem_init();
	EXPECT(ftsan_guard_init(&options, &plain_host, true) == 0);
	if (ftsan_pkey() == 0) {
		printf("skipped: %s\n", ftsan_store_name());
		exit(SKIPPED);
	}
	EXPECT(strcmp(ftsan_store_name(), "pkey") == 0);
	handle(SIGSEGV, on_fault);
	handle(SIGTRAP, on_step);
}

static void a_store_traps_and_arrives(void)
{
	word = sealed(1);
	EXPECT(write_refused(word));
	EXPECT(*word == 1 && ftsan_counted(traps) == 0);
	*word = 2;
	EXPECT(*word == 2);
	EXPECT(ftsan_counted(traps) == 1 && ftsan_counted(traps_key) == 1);
	EXPECT(step_seen == 1);
}

static void the_right_lasts_one_step(void)
{
	volatile uint64_t *next = sealed(5);

	EXPECT(write_refused(next));
	*next = 6;
	EXPECT(*next == 6 && ftsan_counted(traps_key) == 2);
	next = sealed(7);
	EXPECT(write_refused(next) && *next == 7);
}

static void what_is_not_emulated_works_too(void)
{
	volatile uint64_t *next = sealed(40);

	__asm__ volatile("lock addq $2, %0" : "+m"(*next));
	EXPECT(*next == 42 && ftsan_counted(traps_key) == 3);
}

static void others_read_and_never_write(void)
{
	uint64_t reconciled = ftsan_counted(reconciled);
	pthread_t thread;

	word = sealed(10);
	EXPECT(pthread_create(&thread, NULL, other, NULL) == 0);
	ask_other();
	EXPECT(others_value == 10);
	*word = 11; /* on_step() asks again, in the middle of it */
	EXPECT(others_value == 11);
	EXPECT(ftsan_counted(traps_key) == 4 && atomic_load(&request) == 2);
	EXPECT(ftsan_counted(reconciled) == reconciled);
	word = NULL;
	atomic_fetch_add(&request, 1);
	EXPECT(pthread_join(thread, NULL) == 0);
	atomic_store(&request, 0);
}

static volatile uint64_t *handlers;
static volatile uint64_t handlers_value;
static volatile int handler_stores;

static void on_user(int signal, siginfo_t *info, void *uc)
{
	(void)signal;
	(void)info;
	(void)uc;
	if (handler_stores)
		*handlers = 21;
	else
		handlers_value = *handlers;
}

/* The kernel enters it without the right to read. */
static void a_handler_reads(void)
{
	uint64_t reconciled = ftsan_counted(reconciled);

	handle(SIGUSR1, on_user);
	handlers = sealed(20);
	EXPECT(raise(SIGUSR1) == 0);
	EXPECT(handlers_value == 20 && ftsan_counted(traps_key) == 4);
	EXPECT(ftsan_counted(reconciled) == reconciled && write_refused(handlers));
}

static void a_handler_stores(void)
{
	handler_stores = 1;
	EXPECT(raise(SIGUSR1) == 0);
	EXPECT(*handlers == 21 && ftsan_counted(traps_key) == 5);
}

static void an_inaccessible_page_keeps_the_key(void)
{
	volatile uint64_t *next = sealed(30);
	uint32_t slot = ftsan_slot_of((uintptr_t)next);

	EXPECT(ftsan_slot_protect(slot, 1, PROT_NONE) == 0);
	EXPECT(*next == 30); /* faults, and is found stricter than its state */
	EXPECT(write_refused(next));
	*next = 31;
	EXPECT(*next == 31 && ftsan_counted(traps_key) == 6);
}

static void a_child_has_the_key(void)
{
	handlers = sealed(50);
	*handlers = 51;
	EXPECT(*handlers == 51);
	handlers = sealed(52);
	EXPECT(write_refused(handlers));
}

int main(void)
{
	start();
	a_store_traps_and_arrives();
	the_right_lasts_one_step();
	what_is_not_emulated_works_too();
	others_read_and_never_write();
	a_handler_reads();
	a_handler_stores();
	an_inaccessible_page_keeps_the_key();
	EXPECT_SUCCESS(a_child_has_the_key);
	printf("protection keys work: %s, %d steps\n", ftsan_store_name(), step_seen);
	return 0;
}
