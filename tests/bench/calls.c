/*
 * Loops in C for loops.py, loaded with ctypes.CDLL: what an extension module does, so its
 * imports are patched as any module's. Each returns the nanoseconds of CPU of a round.
 */
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

/* Of the interpreter. */
void *PyMem_RawMalloc(size_t size);
void PyMem_RawFree(void *block);

EXPORT double bench_raw_memory(long n);
EXPORT double bench_sigprocmask(long n);
EXPORT double bench_four_mprotects(long n);
EXPORT double bench_fault_cycle(long n);
EXPORT double bench_stores(long n, volatile uint64_t *word);

enum { PAGE = 4096, PAGES = 64 };

static volatile char *page; /* one amidst others of the same mapping */

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void make_page(void)
{
	char *pages;

	if (page != NULL)
		return;
	pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(pages, 1, PAGES * PAGE);
	page = pages + PAGES / 2 * PAGE;
}

static void protect(int protection)
{
	mprotect((void *)(uintptr_t)page, PAGE, protection);
}

double bench_raw_memory(long n)
{
	double began = now_ns();

	for (long i = 0; i < n; i++)
		PyMem_RawFree(PyMem_RawMalloc(64));
	return (now_ns() - began) / (double)n;
}

double bench_sigprocmask(long n)
{
	double began = now_ns();
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	for (long i = 0; i < n; i++)
		sigprocmask(i % 2 == 0 ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
	return (now_ns() - began) / (double)n;
}

double bench_four_mprotects(long n)
{
	double began;

	make_page();
	began = now_ns();
	for (long i = 0; i < 2 * n; i++) {
		protect(PROT_READ);
		protect(PROT_READ | PROT_WRITE);
		page[0]++;
	}
	return (now_ns() - began) / (double)n;
}

static void open_page(int number)
{
	(void)number;
	protect(PROT_READ | PROT_WRITE);
}

/* The least that a tool which learns of a store by the page's protection has to do. */
double bench_fault_cycle(long n)
{
	struct sigaction action = {.sa_handler = open_page}, before;
	double began;

	make_page();
	sigaction(SIGSEGV, &action, &before);
	began = now_ns();
	for (long i = 0; i < n; i++) {
		protect(PROT_READ);
		page[0] = (char)i;
	}
	began = now_ns() - began;
	sigaction(SIGSEGV, &before, NULL);
	return began / (double)n;
}

double bench_stores(long n, volatile uint64_t *word)
{
	uint64_t value = *word;
	double began = now_ns();

	for (long i = 0; i < n; i++)
		*word = value;
	return (now_ns() - began) / (double)n;
}
