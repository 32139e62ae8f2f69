/* Buffers that are given back while others still use them. */
#include "scenario.h"

static struct fake_array *shared;
static _Atomic int freed;

static NOINLINE void give_back(struct fake_array *array)
{
	numpy->destroy(array);
}

static NOINLINE int64_t use(const int64_t *dims)
{
	return load(&dims[1]);
}

static NOINLINE void change(int64_t *dims)
{
	store(&dims[1], 9);
}

static void *idle(void *unused)
{
	while (!stop)
		pause_ms(1);
	return unused;
}

static _Atomic unsigned stores;

/* Stores in a row, most of the time inside a window; the last one is still pending when
 * the buffer goes. */
static void *store_until_freed(void *unused)
{
	int64_t *dims = shared->dims;

	while (!freed) {
		stores++;
		store(&dims[0], 1);
	}
	return unused;
}

static void check_and_destroy(struct fake_array **arrays, unsigned n, int64_t length)
{
	for (unsigned i = 0; i < n; i++) {
		for (int word = 0; word < arrays[i]->nd; word++) {
			EXPECT(load(&arrays[i]->dims[word]) == length);
			EXPECT(load(&arrays[i]->strides[word]) == 8);
		}
		numpy->destroy(arrays[i]);
	}
}

/* A free during another thread's store, with buffers around it that must not change. */
static void free_once(void)
{
	struct fake_array *around[40];
	pthread_t writer;

	for (unsigned i = 0; i < 20; i++)
		around[i] = numpy->create(2, 5, 0);
	shared = shown_array(2, 1);
	for (unsigned i = 20; i < 30; i++)
		around[i] = numpy->create(2, 5, 0);
	freed = 0;
	stores = 0;
	writer = start(store_until_freed, NULL);
	while (stores == 0)
		usleep(100);
	pause_ms(2);
	give_back(shared);
	freed = 1;
	for (unsigned i = 30; i < 40; i++)
		around[i] = numpy->create(2, 5, 0);
	join(writer);
	check_and_destroy(around, 40, 5);
}

static void free_in_window(void)
{
	for (unsigned i = 0; i < 50 && !found_here(); i++)
		free_once();
}

static void *use_late(void *dims)
{
	EXPECT(use(dims) == 4);
	return NULL;
}

static void *change_late(void *dims)
{
	change(dims);
	EXPECT(use(dims) == 9);
	return NULL;
}

static void late(void *(*access)(void *), int64_t *(*leave)(struct fake_array *))
{
	struct fake_array *other;
	pthread_t thread = start(idle, NULL);
	int64_t *dims;

	shared = shown_array(2, 4);
	dims = leave(shared);
	/* A late access never reaches what was allocated since. */
	other = numpy->create(2, 6, 0);
	join(start(access, dims));
	check_and_destroy(&other, 1, 6);
	stop = 1;
	join(thread);
}

static int64_t *leave_freed(struct fake_array *array)
{
	int64_t *dims = array->dims;

	give_back(array);
	return dims;
}

static int64_t *leave_resized(struct fake_array *array)
{
	int64_t *old = numpy->resize(array);

	EXPECT(array->dims != old);
	EXPECT(load(&array->dims[0]) == 4 && load(&array->dims[1]) == 4);
	EXPECT(load(&array->dims[2]) == 8);
	return old;
}

static void use_after_free(void)
{
	late(use_late, leave_freed);
}

static void store_after_free(void)
{
	late(change_late, leave_freed);
}

static void use_after_resize(void)
{
	late(use_late, leave_resized);
}

static void double_free(void)
{
	pthread_t thread = start(idle, NULL);
	int64_t *dims;

	shared = shown_array(2, 4);
	dims = shared->dims;
	give_back(shared);
	PyMem_RawFree(dims);
	stop = 1;
	join(thread);
}

/* A pointer to data taken for one to code ends the program as it does without us. */
static void wild_jump(void)
{
	pthread_t thread = start(idle, NULL);
	void (*jump)(void);

	shared = shown_array(2, 4);
	memcpy(&jump, &shared->dims, sizeof(jump));
	jump();
	stop = 1;
	join(thread);
}

/* --- nothing of this is a finding ------------------------------------------------ */

static void *store_for_long(void *unused)
{
	int64_t *dims = shared->dims;

	while (!stop)
		store(&dims[0], 1);
	return unused;
}

/* Other buffers come and go, some of them sealed, while windows are open at one. */
static void others_freed(void)
{
	struct fake_array *arrays[60], *aged[8];
	uint64_t until;
	pthread_t thread;

	shared = numpy->create(2, 1, 0);
	thread = start(store_for_long, NULL);
	for (unsigned i = 0; i < 8; i++)
		aged[i] = numpy->create(2, 7, 0);
	until = now_ms() + 40;
	for (unsigned round = 0; now_ms() < until; round++) {
		for (unsigned i = 0; i < 60; i++)
			arrays[i] = numpy->create(2, 5, 0);
		check_and_destroy(&aged[round % 8], 1, 7);
		aged[round % 8] = numpy->create(2, 7, 0);
		pause_ms(2);
		check_and_destroy(arrays, 60, 5);
	}
	check_and_destroy(aged, 8, 7);
	stop = 1;
	join(thread);
	EXPECT(load(&shared->dims[1]) == 1);
	numpy->destroy(shared);
}

/* Far beyond its buffer, across two sealed pages: wrong, but it has to come to an end. */
static void wild_store(void)
{
	pthread_t thread = start(idle, NULL);
	struct fake_array *arrays[64];

	for (unsigned i = 0; i < 64; i++)
		arrays[i] = numpy->create(2, 5, 0);
	pause_ms(8);
	for (unsigned i = 0; i < 2; i++) {
		uintptr_t page = (uintptr_t)arrays[i]->dims | 4095;

		store((int64_t *)(page - 3), 1);
	}
	check_and_destroy(arrays, 64, 5);
	stop = 1;
	join(thread);
}

/* A buffer's last user is gone for good before another thread gives it back. */
static void *use_and_end(void *array)
{
	struct fake_array *mine = array;

	numpy->method(mine);
	store(&mine->dims[0], 2);
	EXPECT(load(&mine->dims[0]) == 2);
	return NULL;
}

static void thread_exit(void)
{
	for (unsigned i = 0; i < 6; i++) {
		shared = shown_array(2, 1);
		join(start(use_and_end, shared));
		EXPECT(load(&shared->dims[0]) == 2);
		numpy->destroy(shared);
	}
}

int main(int argc, char **argv)
{
	static const struct scenario_case cases[] = {
		{"free_in_window", free_in_window},
		{"use_after_free", use_after_free},
		{"store_after_free", store_after_free},
		{"use_after_resize", use_after_resize},
		{"double_free", double_free},
		{"wild_jump", wild_jump},
		{"wild_store", wild_store},
		{"others_freed", others_freed},
		{"thread_exit", thread_exit},
		{0},
	};

	return run_case(cases, argc, argv);
}
