/*
 * Two threads in operations on one object, with real watchpoints from the first access
 * to the line in the log. Ends with 77 where the kernel refuses them.
 *
 *   watch_race write|read|ordered|apart|masked|search LOG
 */
#include <dlfcn.h>
#include <immintrin.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/base.h"
#include "decode/decode.h"
#include "findings/findings.h"
#include "support/expect.h"
#include "support/handle.h"
#include "threads/threads.h"
#include "words/words.h"

enum { SKIPPED = 77, ROUNDS = 300, MEETINGS = 5, SECONDS = 20 };

/* What the threads share: a header of two words, watched one by one. */
static struct {
	volatile uint64_t first;
	volatile uint64_t second;
	uint64_t rest[2];
} header __attribute__((aligned(64)));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *way;
static uint64_t deadline_ns;
static _Atomic uint64_t rounds;

static bool is(const char *name)
{
	return strcmp(way, name) == 0;
}

static void on_trap(int signal, siginfo_t *info, void *uc)
{
	(void)signal;
	if (!ftsan_watch_trap(info, uc)) {
		printf("a trap of somebody else's: code %d\n", info->si_code);
		fflush(stdout);
		EXPECT(false);
	}
}

static struct ftsan_watchpoint point_of(volatile uint64_t *word)
{
	return (struct ftsan_watchpoint){.address = (uintptr_t)word,
					 .object = (uintptr_t)&header,
					 .tag = word != &header.first,
					 .length = 8};
}

/* Its own word for stores; and the one that somebody is held up at for loads, too. */
static void enter(struct ftsan_thread *thread, volatile uint64_t *word)
{
	struct ftsan_watchpoint points[2] = {point_of(word)};
	unsigned n = 1;

	if (ftsan_word_stalled((uintptr_t)&header, &points[1]))
		n += points[1].address != points[0].address;
	(void)ftsan_watch_arm(thread, points, n);
}

/* What is to be found comes some time, and what must not be found would have come. */
static bool goes_on(void)
{
	if (ftsan_report_count() > 0 || ftsan_sys_now_ns() >= deadline_ns)
		return false;
	if (is("search"))
		return ftsan_counted(watch_unproven) < MEETINGS;
	/* Not every processor lies about these. */
	if (is("masked"))
		return ftsan_counted(watch_unproven) < MEETINGS && rounds < 10 * ROUNDS;
	return rounds < ROUNDS || is("write") || is("read");
}

static void *write_words(void *argument)
{
	volatile uint64_t *word =
		is("apart") && argument != NULL ? &header.second : &header.first;
	struct ftsan_thread *thread = ftsan_thread_self();

	while (goes_on()) {
		if (is("ordered"))
			pthread_mutex_lock(&lock);
		enter(thread, word);
		*word = *word + 1;
		ftsan_watch_park(thread);
		if (is("ordered"))
			pthread_mutex_unlock(&lock);
		atomic_fetch_add(&rounds, 1);
	}
	ftsan_watch_thread_end(thread);
	ftsan_thread_release();
	return NULL;
}

static void hit(struct ftsan_thread *thread, const struct ftsan_watchpoint *point,
		void *uc)
{
	struct ftsan_watchpoint known = *point;

	if (ftsan_watch_proven(&known, uc))
		ftsan_word_hit(thread, &known, uc);
}

/* Leaves the first word alone, and the watchpoint fires all the same on some processors.
 */
__attribute__((target("avx2"))) static void store_masked(void)
{
	_mm256_maskstore_epi64((long long *)&header, _mm256_setr_epi64x(0, 0, -1, 0),
			       _mm256_set1_epi64x(1));
}

/* Looks for something in all that is there, as strlen() does. */
__attribute__((target("avx2"))) static void search(void)
{
	__m256i found;

	__asm__ volatile("vpcmpeqb %1, %2, %0"
			 : "=x"(found)
			 : "m"(header), "x"(_mm256_set1_epi8(7)));
	(void)found;
}

static void *read_words(void *unused)
{
	struct ftsan_thread *thread = ftsan_thread_self();

	while (goes_on()) {
		enter(thread, &header.second);
		if (is("masked"))
			store_masked();
		else if (is("search"))
			search();
		else
			(void)header.first;
		ftsan_watch_park(thread);
	}
	ftsan_watch_thread_end(thread);
	ftsan_thread_release();
	return unused;
}

static void run(void)
{
	pthread_t threads[2];

	EXPECT(pthread_create(&threads[0], NULL, write_words, NULL) == 0);
	EXPECT(pthread_create(&threads[1], NULL,
			      is("read") || is("masked") || is("search") ? read_words
									 : write_words,
			      &header) == 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
}

static int lines_with(const char *path, const char *one, const char *two)
{
	static char line[1 << 16];
	FILE *file = fopen(path, "r");
	int n = 0;

	EXPECT(file);
	while (fgets(line, sizeof(line), file))
		n += strstr(line, one) && strstr(line, two);
	fclose(file);
	return n;
}

static void expect_found(const char *path)
{
	int writes = lines_with(path, "\"type\":\"finding\"", "\"role\":\"write\"");
	int reads = lines_with(path, "\"type\":\"finding\"", "\"role\":\"read\"");

	printf("%s: %llu hits, %llu stalls, %llu met, %u findings\n", way,
	       (unsigned long long)ftsan_counted(watch_hits),
	       (unsigned long long)ftsan_counted(stalls),
	       (unsigned long long)ftsan_counted(stalls_met), ftsan_report_count());
	EXPECT(ftsan_counted(watch_hits) > 0 && ftsan_counted(stalls) > 0);
	if (is("write") || is("read")) {
		EXPECT(writes == 1 && reads == is("read"));
		EXPECT(lines_with(path, "\"confidence\":\"confirmed\"", "race") == 1);
	} else {
		EXPECT(ftsan_report_count() == 0 && writes == 0 && reads == 0);
		EXPECT(ftsan_counted(stalls_met) == 0);
		/* The other thread was seen at the word, and it was nothing. */
		EXPECT(ftsan_counted(watch_unproven) >= MEETINGS || !is("search"));
	}
}

static void *zydis(const char *name)
{
	void *library = dlopen(FTSAN_ZYDIS_SONAME, RTLD_NOW | RTLD_LOCAL);

	EXPECT(library);
	return dlsym(library, name);
}

int main(int argc, char **argv)
{
	static struct ftsan_options options;

	EXPECT(argc == 3);
	way = argv[1];
	unlink(argv[2]);
	if ((is("masked") || is("search")) && !__builtin_cpu_supports("avx2")) {
		puts("skipped: no AVX2");
		return SKIPPED;
	}
	ftsan_decode_init(zydis("ZydisDecoderInit"), zydis("ZydisDecoderDecodeFull"));
	handle(SIGTRAP, on_trap);
	handle(SIGSEGV, on_fault);
	ftsan_options_init(&options);
	(void)ftsan_mem_init();
	EXPECT(ftsan_report_init(false, false, NULL, 0) == 0);
	EXPECT(ftsan_log_open(argv[2], true) == 0);
	ftsan_word_race_init(&options, NULL);
	ftsan_watch_set_handler(hit);
	if (ftsan_watch_init() != 0) {
		printf("skipped: %s\n", ftsan_watch_name());
		return SKIPPED;
	}
	deadline_ns = ftsan_sys_now_ns() + SECONDS * UINT64_C(1000000000);
	run();
	expect_found(argv[2]);
	return 0;
}
