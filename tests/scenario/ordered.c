/* Code that is right, or whose accesses have nothing in common: never a finding. */
#include "scenario.h"

enum { RUN_MS = 40 };

static struct fake_array *shared;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* Two threads do their parts for a while, from when the array is sealed. */
static void both(void *(*first)(void *), void *(*second)(void *))
{
	pthread_t threads[2];

	shared = numpy->create(2, 0, 0);
	threads[0] = start(first, NULL);
	threads[1] = start(second, NULL);
	pause_ms(RUN_MS);
	stop = 1;
	join(threads[0]);
	join(threads[1]);
}

static void *store_first(void *unused)
{
	int64_t n = 0;

	while (!stop) {
		store(&shared->dims[0], ++n);
		EXPECT(load(&shared->dims[0]) == n);
	}
	return unused;
}

static void *store_second(void *unused)
{
	int64_t n = 0;

	while (!stop) {
		store(&shared->dims[1], --n);
		EXPECT(load(&shared->dims[1]) == n);
	}
	return unused;
}

static void *store_stride(void *unused)
{
	while (!stop)
		store(&shared->strides[0], 16);
	return unused;
}

static void *read_dims(void *unused)
{
	while (!stop)
		EXPECT(load(&shared->dims[0]) == 0 && load(&shared->dims[1]) == 0);
	return unused;
}

/* Neighbours in one buffer are not one thing. */
static void other_words(void)
{
	both(store_first, store_second);
}

static void stride_and_dim(void)
{
	both(store_stride, read_dims);
}

static void *add_locked(void *unused)
{
	while (!stop)
		__atomic_fetch_add(&shared->dims[0], 1, __ATOMIC_SEQ_CST);
	return unused;
}

static void *exchange(void *unused)
{
	while (!stop)
		__atomic_exchange_n(&shared->dims[0], 1, __ATOMIC_SEQ_CST);
	return unused;
}

static void *add_counted(void *count)
{
	pause_ms(8);
	for (unsigned i = 0; i < 3000; i++)
		__atomic_fetch_add(&shared->dims[0], 1, __ATOMIC_SEQ_CST);
	return count;
}

static void atomics(void)
{
	both(add_locked, add_locked);
}

static void exchanges(void)
{
	both(exchange, add_locked);
}

/* Whatever is done about their traps, additions stay additions. */
static void atomics_add_up(void)
{
	pthread_t threads[2];

	shared = numpy->create(2, 0, 0);
	for (unsigned i = 0; i < 2; i++)
		threads[i] = start(add_counted, NULL);
	for (unsigned i = 0; i < 2; i++)
		join(threads[i]);
	EXPECT(load(&shared->dims[0]) == 6000);
}

static void *change_locked(void *unused)
{
	while (!stop) {
		pthread_mutex_lock(&mutex);
		store(&shared->dims[0], 3);
		EXPECT(load(&shared->dims[0]) == 3);
		store(&shared->dims[0], 0);
		pthread_mutex_unlock(&mutex);
	}
	return unused;
}

static void *read_locked(void *unused)
{
	while (!stop) {
		pthread_mutex_lock(&mutex);
		EXPECT(load(&shared->dims[0]) == 0);
		pthread_mutex_unlock(&mutex);
	}
	return unused;
}

static void locked(void)
{
	both(change_locked, read_locked);
}

static _Atomic int64_t turns;

/* Each thread owns the array in its turn. */
static void *take_turns(void *parity)
{
	pthread_mutex_lock(&mutex);
	while (!stop) {
		int64_t mine;

		while (!stop && turns % 2 != (parity != NULL))
			pthread_cond_wait(&changed, &mutex);
		mine = turns;
		pthread_mutex_unlock(&mutex);
		if (stop)
			return NULL;
		EXPECT(load(&shared->dims[0]) == mine);
		store(&shared->dims[0], mine + 1);
		pthread_mutex_lock(&mutex);
		turns++;
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void handed_over(void)
{
	pthread_t threads[2];

	shared = numpy->create(2, 0, 0);
	threads[0] = start(take_turns, NULL);
	threads[1] = start(take_turns, "odd");
	pause_ms(RUN_MS);
	pthread_mutex_lock(&mutex);
	stop = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	join(threads[0]);
	join(threads[1]);
}

static void *busy_elsewhere(void *unused)
{
	while (!stop) {
		struct fake_array *mine = numpy->create(2, 4, 0);

		EXPECT(load(&mine->dims[1]) == 4);
		numpy->destroy(mine);
	}
	return unused;
}

/* Sealed by its age before the constructor has stored a single dim. */
static void slow_constructor(void)
{
	pthread_t thread = start(busy_elsewhere, NULL);

	for (unsigned i = 0; i < 3; i++) {
		shared = numpy->create(3, 5, 20000);
		for (int word = 0; word < 3; word++)
			EXPECT(load(&shared->dims[word]) == 5 &&
			       load(&shared->strides[word]) == 8);
		numpy->destroy(shared);
	}
	stop = 1;
	join(thread);
}

/* One thread: allocations and methods seal, and every store still arrives. */
static void alone(void)
{
	uint64_t until = now_ms() + RUN_MS;
	int64_t n = 0;

	shared = numpy->create(2, 0, 0);
	while (now_ms() < until) {
		struct fake_array *other = numpy->create(2, 1, 0);

		numpy->method(shared);
		store(&shared->dims[0], ++n);
		EXPECT(load(&shared->dims[0]) == n);
		__asm__ volatile("addq $1, (%0)" : : "r"(shared->dims) : "memory", "cc");
		EXPECT(load(&shared->dims[0]) == ++n);
		numpy->destroy(other);
	}
}

int main(int argc, char **argv)
{
	static const struct scenario_case cases[] = {
		{"other_words", other_words},
		{"stride_and_dim", stride_and_dim},
		{"atomics", atomics},
		{"exchanges", exchanges},
		{"atomics_add_up", atomics_add_up},
		{"locked", locked},
		{"handed_over", handed_over},
		{"slow_constructor", slow_constructor},
		{"alone", alone},
		{0},
	};

	return run_case(cases, argc, argv);
}
