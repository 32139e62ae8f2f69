/*
 * What the engines cost, each next to the bare system calls that it can't do without.
 *
 *   bench_engine [SLICES]      one line of JSON for each slice of each benchmark
 *
 * A slice is a short run of the subject and, in the next moment, one of its reference:
 * whatever else the machine does hits both. Nanoseconds of CPU of the thread, or, where
 * threads wait for each other, of the clock.
 */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

#include "base/base.h"
#include "decode/decode.h"
#include "elf/unwind_calls.h"
#include "findings/findings.h"
#include "pages/pages.h"
#include "pages/store.h"
#include "stacks/stacks.h"
#include "support/expect.h"
#include "support/guard_host.h"
#include "threads/threads.h"
#include "words/words.h"

enum { PAGES = 64, SLICES = 25, DEPTH = 12 };

static volatile uint64_t *bare;	  /* a page amidst others of the same mapping */
static volatile uint64_t *sealed; /* a buffer of ours that is published */

/* --- the process ---------------------------------------------------------------- */

static void protect(int protection)
{
	EXPECT(mprotect((void *)(uintptr_t)bare, FTSAN_PAGE, protection) == 0);
}

static void on_fault(int signal, siginfo_t *info, void *uc)
{
	(void)signal;
	if ((uintptr_t)info->si_addr - (uintptr_t)bare < FTSAN_PAGE) {
		protect(PROT_READ | PROT_WRITE);
		return;
	}
	EXPECT(ftsan_safe_read_fixup(uc) || ftsan_stack_fixup(uc) ||
	       ftsan_trap_fault(info, uc));
}

static void on_trap(int signal, siginfo_t *info, void *uc)
{
	(void)signal;
	EXPECT(ftsan_watch_trap(info, uc) || ftsan_trap_step(uc));
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

	sigfillset(&action.sa_mask);
	sigdelset(&action.sa_mask, SIGSEGV);
	EXPECT(sigaction(signal, &action, NULL) == 0);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *allocated(void)
{
	const struct ftsan_alloc_site nowhere = {0};
	uint64_t *made =
		ftsan_guard_alloc(FTSAN_ADAPTER_CANARY, sizeof(*made), 0, &nowhere);

	EXPECT(made != NULL);
	*made = 1;
	return made;
}

static void *published(void)
{
	void *made = allocated();

	EXPECT(ftsan_guard_publish(made));
	return made;
}

/* --- references ----------------------------------------------------------------- */

static void nothing(unsigned n)
{
	(void)n;
}

static void bare_cycle(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		protect(PROT_READ);
		*bare = i;
	}
}

static void two_mprotects(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		protect(PROT_READ);
		protect(PROT_READ | PROT_WRITE);
		*bare = i;
	}
}

static void four_mprotects(unsigned n)
{
	two_mprotects(2 * n);
}

/* --- subjects ------------------------------------------------------------------- */

static void direct_store(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		__asm__ volatile("movq %1, %0" : "=m"(*sealed) : "r"((uint64_t)1));
}

/* Reads what it stores to: performed on a copy, and single-stepped. */
static void redirected_store(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		__asm__ volatile("orq $1, %0" : "+m"(*sealed));
}

/* Can't be emulated: the page is opened for one step. */
static void locked_store(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		__asm__ volatile("lock orq $1, %0" : "+m"(*sealed));
}

/* A buffer has a few windows only, so each store is one to a new one. */
static void windowed_store(unsigned n)
{
	uint64_t windows = ftsan_counted(windows);

	for (unsigned i = 0; i < n; i++) {
		volatile uint64_t *buffer = published();

		*buffer = 1;
		ftsan_guard_free((void *)(uintptr_t)buffer);
	}
	EXPECT(ftsan_counted(windows) == windows + n);
}

static void windowless_store(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		volatile uint64_t *buffer = published();

		*buffer = 1;
		ftsan_guard_free((void *)(uintptr_t)buffer);
	}
}

static void alloc_and_free(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ftsan_guard_free(allocated());
}

static void seal_and_unseal(unsigned n)
{
	uint64_t *buffer = allocated(), generation;

	for (unsigned i = 0; i < n; i++) {
		EXPECT(ftsan_guard_hold(buffer, &generation));
		ftsan_guard_unhold(buffer, generation);
	}
	ftsan_guard_free(buffer);
}

/* Its life after the allocation: sealed, quarantined, taken out of it again. */
static void publish_and_free(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ftsan_guard_free(published());
}

static void arm_at(unsigned first)
{
	static volatile uint64_t words[2][FTSAN_WATCH_WORDS];
	struct ftsan_watchpoint points[FTSAN_WATCH_WORDS] = {0};

	for (unsigned i = 0; i < FTSAN_WATCH_WORDS; i++) {
		points[i].address = (uintptr_t)&words[first][i];
		points[i].length = 8;
	}
	(void)ftsan_watch_arm(ftsan_thread_self(), points, FTSAN_WATCH_WORDS);
}

static void arm_others(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		arm_at(i % 2);
		ftsan_watch_park(ftsan_thread_self());
	}
	ftsan_watch_disarm(ftsan_thread_self());
}

static void arm_same(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		arm_at(0);
		ftsan_watch_park(ftsan_thread_self());
	}
	ftsan_watch_disarm(ftsan_thread_self());
}

/* At most FTSAN_WATCH_HITS before a word is let go. */
static void hit(unsigned n)
{
	static volatile uint64_t word;
	struct ftsan_watchpoint point = {.address = (uintptr_t)&word, .length = 8};

	(void)ftsan_watch_arm(ftsan_thread_self(), &point, 1);
	for (unsigned i = 0; i < n; i++)
		word = i;
	ftsan_watch_disarm(ftsan_thread_self());
}

static struct ftsan_stack stack;

static __attribute__((noinline)) void deep(unsigned depth)
{
	if (depth == 0)
		ftsan_stack_capture_here(&stack);
	else
		deep(depth - 1);
	__asm__ volatile("" ::: "memory"); /* no tail call */
}

static void capture(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		deep(DEPTH);
}

/* Each with a fingerprint of its own, which is made from the name, among others. */
static void report(unsigned n)
{
	static unsigned number;

	for (unsigned i = 0; i < n; i++) {
		struct ftsan_object object;
		struct ftsan_incident incident = {
			.kind = FTSAN_KIND_RACE,
			.confidence = FTSAN_CONFIRMED,
			.object = &object,
			.n_parties = 2,
		};

		ftsan_object_clear(&object);
		snprintf(object.name, sizeof(object.name), "word %u", number++);
		for (unsigned j = 0; j < 2; j++)
			incident.parties[j] = (struct ftsan_party){
				.role = FTSAN_ROLE_WRITE, .name = "", .stack = &stack};
		EXPECT(ftsan_report(&incident) && ftsan_report_count() == number);
	}
}

/* --- the table ------------------------------------------------------------------ */

/**
 * struct benchmark - two things to compare
 * @subject, @reference: do theirs @n times
 * @clock:   what is measured by
 * @threads: a second thread is there while the subject runs (no windows otherwise)
 * @watch:   needs watchpoints
 */
struct benchmark {
	const char *name;
	void (*subject)(unsigned n);
	const char *reference_name;
	void (*reference)(unsigned n);
	unsigned n;
	clockid_t clock;
	bool threads;
	bool watch;
};

static const struct benchmark benchmarks[] = {
	{"trapped store, emulated", direct_store, "protect, store, fault, unprotect",
	 bare_cycle, 50, CLOCK_THREAD_CPUTIME_ID, false, false},
	{"trapped store, on a copy", redirected_store, "protect, store, fault, unprotect",
	 bare_cycle, 50, CLOCK_THREAD_CPUTIME_ID, false, false},
	{"trapped store, page opened", locked_store, "protect, store, fault, unprotect",
	 bare_cycle, 50, CLOCK_THREAD_CPUTIME_ID, false, false},
	{"publish, store in a window of 1 ms, free", windowed_store,
	 "publish, store without window, free", windowless_store, 2, CLOCK_MONOTONIC,
	 true, false},
	{"allocate and free", alloc_and_free, "nothing", nothing, 2000,
	 CLOCK_THREAD_CPUTIME_ID, false, false},
	{"seal and unseal (latent mode)", seal_and_unseal, "2 mprotect", two_mprotects,
	 100, CLOCK_THREAD_CPUTIME_ID, false, false},
	{"allocate, publish, free", publish_and_free, "4 mprotect", four_mprotects, 100,
	 CLOCK_THREAD_CPUTIME_ID, false, false},
	{"watch 4 other words, park", arm_others, "2 mprotect", two_mprotects, 50,
	 CLOCK_THREAD_CPUTIME_ID, false, true},
	{"watch the same 4 words, park", arm_same, "nothing", nothing, 500,
	 CLOCK_THREAD_CPUTIME_ID, false, true},
	{"watch a word, 7 hits, end", hit, "nothing", nothing, FTSAN_WATCH_HITS - 1,
	 CLOCK_THREAD_CPUTIME_ID, false, true},
	{"capture a stack of 16 frames", capture, "nothing", nothing, 50,
	 CLOCK_THREAD_CPUTIME_ID, false, false},
	{"write a finding with two stacks", report, "nothing", nothing, 2,
	 CLOCK_THREAD_CPUTIME_ID, false, false},
};

static double one_ns(void (*run)(unsigned), unsigned n, clockid_t clock)
{
	uint64_t began = clock_ns(clock);

	run(n);
	return (double)(clock_ns(clock) - began) / n;
}

static pthread_barrier_t barrier;

static void *second(void *unused)
{
	(void)ftsan_thread_self();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	ftsan_thread_release();
	return unused;
}

static void measure(const struct benchmark *the)
{
	double subject, reference;
	pthread_t thread;

	if (the->threads) {
		EXPECT(pthread_create(&thread, NULL, second, NULL) == 0);
		pthread_barrier_wait(&barrier);
	}
	subject = one_ns(the->subject, the->n, the->clock);
	if (the->threads) {
		pthread_barrier_wait(&barrier);
		pthread_join(thread, NULL);
	}
	reference = one_ns(the->reference, the->n, the->clock);
	printf("{\"name\":\"%s\",\"ns\":%.1f,\"reference\":\"%s\",\"reference_ns\":%.1f}"
	       "\n",
	       the->name, subject, the->reference_name, reference);
}

static void start_unwinder(void)
{
	void *library = dlopen(FTSAN_LIBUNWIND_SONAME, RTLD_NOW | RTLD_LOCAL);

	EXPECT(library != NULL);
	ftsan_unwind_calls_replace(
		dlsym(library, "_ULx86_64_step"),
		&(struct ftsan_unwind_libc){.sigprocmask = sigprocmask, .write = write});
	ftsan_stack_set_unwinder(ftsan_libunwind_init(
		dlsym(library, "_ULx86_64_init_local2"), dlsym(library, "_ULx86_64_step"),
		dlsym(library, "_ULx86_64_get_reg")));
	EXPECT(ftsan_modules_refresh(dl_iterate_phdr) > 0);
}

static void start_decoder(void)
{
	void *library = dlopen(FTSAN_ZYDIS_SONAME, RTLD_NOW | RTLD_LOCAL);

	EXPECT(library != NULL);
	ftsan_decode_init(dlsym(library, "ZydisDecoderInit"),
			  dlsym(library, "ZydisDecoderDecodeFull"));
}

static void start(void)
{
	static struct ftsan_options options;
	char *pages = mmap(NULL, PAGES * FTSAN_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT(pages != MAP_FAILED);
	memset(pages, 1, PAGES * FTSAN_PAGE);
	bare = (volatile uint64_t *)(pages + PAGES / 2 * FTSAN_PAGE);
	handle(SIGSEGV, on_fault);
	handle(SIGTRAP, on_trap);
	ftsan_options_init(&options);
	options.windows = 100000;
	options.window_budget = 100;
	(void)ftsan_mem_init();
	start_unwinder();
	start_decoder();
	EXPECT(ftsan_report_init(false, false, NULL, 0) == 0);
	EXPECT(ftsan_log_open("bench_engine.%p.jsonl", true) == 0);
	EXPECT(ftsan_guard_init(&options, &plain_host, true) == 0);
	(void)ftsan_watch_init();
	sealed = published();
	capture(1);
	EXPECT(pthread_barrier_init(&barrier, NULL, 2) == 0);
}

int main(int argc, char **argv)
{
	unsigned slices = argc > 1 ? (unsigned)atoi(argv[1]) : SLICES;

	start();
	for (unsigned i = 0; i < slices; i++)
		for (size_t j = 0; j < FTSAN_ARRAY_LEN(benchmarks); j++)
			if (!benchmarks[j].watch || ftsan_watch_active())
				measure(&benchmarks[j]);
	if (!ftsan_watch_active())
		printf("{\"name\":\"watchpoints\",\"skipped\":\"%s\"}\n",
		       ftsan_watch_name());
	unlink(ftsan_log_path());
	return 0;
}
