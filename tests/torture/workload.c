/*
 * A program that knows its own results, whatever ftsan can or can't do below it: arrays
 * that one thread owns, an array behind a lock, a race, arrays that are freed while they
 * are sealed, and children that fork() makes in the middle of all that.
 *
 *   workload [plain]   prints "ok"; exit status 0, or 66 from libftsan.so when it saw
 *                      the race. plain: without atomic instructions, which can't be
 *                      performed on a page that the kernel refuses to open
 *
 * It waits for nothing that ftsan does, and so ends even where that can do nothing.
 */
#include <sys/wait.h>

#include "../scenario/scenario.h"

enum { OWNERS = 3, ROUNDS = 12, ARRAYS = 6, INCREMENTS = 400, FORKS = 3, RACE_MS = 600 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fake_array *locked, *raced;
static int plain;

/* Old enough to be sealed when they are stored to, some of them freed sealed. */
static void own_once(int64_t seed)
{
	struct fake_array *arrays[ARRAYS];

	for (int i = 0; i < ARRAYS; i++)
		arrays[i] = numpy->create(1 + i % 3, seed + i, 0);
	pause_ms(3);
	for (int i = 0; i < ARRAYS; i++) {
		EXPECT(load(&arrays[i]->dims[0]) == seed + i);
		EXPECT(load(&arrays[i]->strides[i % 3]) == 8);
		store(&arrays[i]->dims[0], seed - i);
		if (plain)
			store(&arrays[i]->strides[0], 13);
		else
			__asm__ volatile("lock addq $5, (%0)"
					 :
					 : "r"(&arrays[i]->strides[0])
					 : "memory", "cc");
	}
	for (int i = 0; i < ARRAYS; i++) {
		EXPECT(load(&arrays[i]->dims[0]) == seed - i);
		EXPECT(load(&arrays[i]->strides[0]) == 13);
		if (i % 2 == 0) {
			(void)numpy->resize(arrays[i]);
			EXPECT(load(&arrays[i]->dims[0]) == seed - i);
		}
		numpy->destroy(arrays[i]);
	}
}

static NOINLINE void *own(void *seed)
{
	for (int64_t round = 0; round < ROUNDS; round++)
		own_once((int64_t)(intptr_t)seed * 1000 + round * 10);
	return NULL;
}

static NOINLINE void *count_locked(void *unused)
{
	for (int i = 0; i < INCREMENTS; i++) {
		pthread_mutex_lock(&lock);
		store(&locked->dims[0], load(&locked->dims[0]) + 1);
		pthread_mutex_unlock(&lock);
	}
	return unused;
}

static NOINLINE void *write_dim(void *unused)
{
	while (!stop) {
		store(&raced->dims[0], 3);
		store(&raced->dims[0], 1);
		usleep(100);
	}
	return unused;
}

static NOINLINE void *read_dim(void *unused)
{
	while (!stop) {
		int64_t value = load(&raced->dims[0]);

		EXPECT(value == 1 || value == 3);
	}
	return unused;
}

static void fork_once(int64_t seed)
{
	int status;
	pid_t pid = fork();

	EXPECT(pid >= 0);
	if (pid == 0) {
		alarm(20);
		own_once(seed);
		store(&raced->dims[0], seed);
		EXPECT(load(&raced->dims[0]) == seed);
		join(start(own, (void *)7));
		exit(0);
	}
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(status == 0);
}

static void work(void)
{
	uint64_t until = now_ms() + RACE_MS;
	pthread_t threads[OWNERS + 4];
	int n = 0;

	locked = numpy->create(2, 0, 0);
	raced = numpy->create(2, 1, 0);
	threads[n++] = start(read_dim, NULL);
	threads[n++] = start(write_dim, NULL);
	for (int64_t i = 0; i < OWNERS; i++)
		threads[n++] = start(own, (void *)(intptr_t)(i + 1));
	threads[n++] = start(count_locked, NULL);
	threads[n++] = start(count_locked, NULL);
	for (int i = 0; i < FORKS; i++)
		fork_once(500 + i);
	while (now_ms() < until && !found_here())
		pause_ms(10);
	stop = 1;
	while (n > 0)
		join(threads[--n]);
	EXPECT(load(&locked->dims[0]) == 2 * INCREMENTS);
	EXPECT(write(1, "ok\n", 3) == 3);
}

int main(int argc, char **argv)
{
	plain = argc > 1 && strcmp(argv[1], "plain") == 0;
	/* Longer than it takes; a program that hangs is a failure of its own kind. */
	alarm(30);
	import_numpy();
	work();
	return 0;
}
