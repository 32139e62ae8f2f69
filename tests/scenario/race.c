/*
 * Races: two threads, one array, nothing that orders them. The writer changes dims for a
 * moment and restores them, as np.repeat did (numpy#28197); the reader only looks.
 */
#include "scenario.h"

/* A reader that did not run in the one window finds itself in the next. */
enum { ENOUGH_MS = 10000 };

struct race {
	struct fake_array *array;
	void (*write)(struct fake_array *array, int64_t value);
	void (*read)(struct fake_array *array);
};

static NOINLINE void write_dim(struct fake_array *array, int64_t value)
{
	store(&array->dims[0], value);
}

static NOINLINE void write_stride(struct fake_array *array, int64_t value)
{
	store(&array->strides[1], value);
}

/* One byte of a word is a part of it. */
static NOINLINE void write_byte(struct fake_array *array, int64_t value)
{
	*(volatile char *)&array->dims[0] = (char)value;
}

static NOINLINE void write_rmw(struct fake_array *array, int64_t value)
{
	__asm__ volatile("addq %1, (%0)"
			 :
			 : "r"(array->dims), "r"(value == 1 ? -2L : 2L)
			 : "memory", "cc");
}

static NOINLINE void write_vector(struct fake_array *array, int64_t value)
{
	int64_t both[2] = {value, value};

	__asm__ volatile("movups (%1), %%xmm0\n\tmovups %%xmm0, (%0)"
			 :
			 : "r"(array->dims), "r"(both)
			 : "memory", "xmm0");
}

static NOINLINE void write_string(struct fake_array *array, int64_t value)
{
	int64_t both[2] = {value, value};
	void *to = array->dims, *from = both;
	size_t n = 2;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static NOINLINE void read_dim(struct fake_array *array)
{
	(void)load(&array->dims[0]);
}

static NOINLINE void read_second_dim(struct fake_array *array)
{
	(void)load(&array->dims[1]);
}

static NOINLINE void read_stride(struct fake_array *array)
{
	(void)load(&array->strides[1]);
}

static NOINLINE void read_memcpy(struct fake_array *array)
{
	static void *(*volatile copy)(void *, const void *, size_t) = memcpy;
	int64_t to[4];

	copy(to, array->dims, sizeof(to));
}

static NOINLINE void read_string(struct fake_array *array)
{
	int64_t both[4];
	void *to = both, *from = array->dims;
	size_t n = sizeof(both);

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static NOINLINE void read_rmw(struct fake_array *array)
{
	write_rmw(array, 3);
	write_rmw(array, 1);
}

static NOINLINE void other_write(struct fake_array *array)
{
	store(&array->dims[0], 3);
}

static void *reader(void *argument)
{
	const struct race *race = argument;

	while (!stop)
		race->read(race->array);
	return NULL;
}

static void run(void (*write)(struct fake_array *, int64_t),
		void (*read)(struct fake_array *))
{
	struct race race = {.write = write, .read = read};
	pthread_t thread;
	uint64_t until;

	race.array = numpy->create(2, 1, 0);
	thread = start(reader, &race);
	until = now_ms() + ENOUGH_MS;
	do {
		for (unsigned i = 0; i < 50; i++) {
			race.write(race.array, 3);
			race.write(race.array, 1);
			usleep(100);
		}
	} while (!found_here() && now_ms() < until);
	stop = 1;
	join(thread);
}

static void write_read(void)
{
	run(write_dim, read_dim);
}

static void write_write(void)
{
	run(write_dim, other_write);
}

static void stride(void)
{
	run(write_stride, read_stride);
}

static void byte(void)
{
	run(write_byte, read_dim);
}

static void rmw(void)
{
	run(write_rmw, read_dim);
}

static void rmw_rmw(void)
{
	run(write_rmw, read_rmw);
}

static void vector(void)
{
	run(write_vector, read_dim);
}

static void vector_high(void)
{
	run(write_vector, read_second_dim);
}

static void string_writer(void)
{
	run(write_string, read_dim);
}

static void memcpy_reader(void)
{
	run(write_dim, read_memcpy);
}

static void string_reader(void)
{
	run(write_dim, read_string);
}

int main(int argc, char **argv)
{
	static const struct scenario_case cases[] = {
		{"write_read", write_read},
		{"write_write", write_write},
		{"stride", stride},
		{"byte", byte},
		{"rmw", rmw},
		{"rmw_rmw", rmw_rmw},
		{"vector", vector},
		{"vector_high", vector_high},
		{"string_writer", string_writer},
		{"memcpy_reader", memcpy_reader},
		{"string_reader", string_reader},
		{0},
	};

	return run_case(cases, argc, argv);
}
