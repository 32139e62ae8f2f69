/*
 * What the programs share: threads that begin together, plain accesses that the
 * compiler leaves as they are, and a way to end.
 */
#ifndef FTSAN_TESTS_SCENARIO_H
#define FTSAN_TESTS_SCENARIO_H

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fake_numpy.h"

#define NOINLINE __attribute__((noinline))

/* The state of the process is what failed, so it ends at once, as a crash would. */
#define EXPECT(condition)                                                                \
	do {                                                                             \
		if (!(condition)) {                                                      \
			dprintf(2, "%s:%d: expected %s\n", __FILE__, __LINE__,           \
				#condition);                                             \
			abort();                                                         \
		}                                                                        \
	} while (0)

static const struct fake_numpy *numpy;
static _Atomic int stop;

static inline void import_numpy(void)
{
	void *library = dlopen("_multiarray_umath.so", RTLD_NOW | RTLD_LOCAL);

	if (library == NULL) {
		dprintf(2, "%s\n", dlerror());
		abort();
	}
	numpy = dlsym(library, "fake_numpy");
	EXPECT(numpy != NULL);
	numpy->import();
	/* The first one shows libftsan which call allocates dims, by the time of the
	 * second. */
	struct fake_array *first = numpy->create(1, 1, 0);
	struct fake_array *second = numpy->create(1, 1, 0);

	numpy->destroy(first);
	numpy->destroy(second);
}

static inline void pause_ms(unsigned ms)
{
	usleep(ms * 1000);
}

static void *enter_method(void *array)
{
	numpy->method(array);
	return NULL;
}

/*
 * Has libftsan taken the right to write away? The kernel is asked to store the byte that
 * is there already; /proc/self/maps would not tell of protection keys.
 */
static inline int is_sealed(void *address)
{
	char byte = *(volatile char *)address;
	ssize_t stored;
	int ends[2];

	EXPECT(pipe(ends) == 0 && write(ends[1], &byte, 1) == 1);
	stored = read(ends[0], address, 1);
	close(ends[0]);
	close(ends[1]);
	return stored < 0;
}

/* An array that is sealed for sure: another thread has entered a method of it. */
static inline struct fake_array *shown_array(int nd, int64_t length)
{
	struct fake_array *array = numpy->create(nd, length, 0);
	pthread_t thread;

	EXPECT(pthread_create(&thread, NULL, enter_method, array) == 0);
	EXPECT(pthread_join(thread, NULL) == 0);
	/* The scout may have been at it already, and not be through. */
	while (!is_sealed(array->dims))
		usleep(500);
	usleep(2000);
	return array;
}

static inline uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static inline int64_t load(const int64_t *word)
{
	return *(const volatile int64_t *)word;
}

static inline void store(int64_t *word, int64_t value)
{
	*(volatile int64_t *)word = value;
}

static inline pthread_t start(void *(*fn)(void *), void *argument)
{
	pthread_t thread;

	EXPECT(pthread_create(&thread, NULL, fn, argument) == 0);
	return thread;
}

static inline void join(pthread_t thread)
{
	EXPECT(pthread_join(thread, NULL) == 0);
}

/* Is a finding in the log? */
static inline int found(const char *path)
{
	static char text[1 << 20];
	int fd = open(path, O_RDONLY);
	ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[length > 0 ? length : 0] = '\0';
	return strstr(text, "\"type\":\"finding\"") != NULL;
}

/* The driver says where the log is. */
static inline int found_here(void)
{
	return found(getenv("SCENARIO_LOG"));
}

/* struct scenario_case - what `PROGRAM NAME` runs */
struct scenario_case {
	const char *name;
	void (*run)(void);
};

static inline int run_case(const struct scenario_case *cases, int argc, char **argv)
{
	EXPECT(argc >= 2);
	/* Longer than any case; a program that hangs is a failure of its own kind. */
	alarm(50);
	for (; cases->name != NULL; cases++) {
		if (strcmp(cases->name, argv[1]) == 0) {
			import_numpy();
			cases->run();
			return 0;
		}
	}
	dprintf(2, "%s: no such case\n", argv[1]);
	return 2;
}

#endif
