/* memory: what an address is, by a made-up segment of CPython's allocator. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/base.h"
#include "memory/memory.h"

enum { SEGMENT = 32 << 20, SLICE = 65536, OBJECT = 32 };

/* A free-threaded object's head, and what is read of a type. */
struct head {
	uint64_t owner, counts, shared;
	uintptr_t type;
};
struct type {
	struct head head;
	int64_t size;
	const char *name;
	unsigned char slots[400];
};
struct member {
	const char *name;
	int32_t type, unused;
	int64_t offset;
	int32_t flags, unused2;
	const char *doc;
};

static struct type type_type, thing_type;
static const struct member members[] = {{.name = "first", .offset = OBJECT},
					{.name = "second", .offset = OBJECT + 8},
					{.name = NULL}};
static struct ftsan_pyabi abi;
static unsigned char *segment;

static void put32(size_t at, uint32_t value)
{
	memcpy(segment + at, &value, sizeof(value));
}

static void put64(size_t at, uint64_t value)
{
	memcpy(segment + at, &value, sizeof(value));
}

/* A page of blocks of one size, @slices long, from a heap of objects of the kind @tag. */
static void make_page(unsigned slice, unsigned slices, uint32_t block, unsigned tag)
{
	for (unsigned i = 0; i < slices; i++) {
		size_t page = 264 + (slice + i) * 96;

		put32(page, i == 0 ? slices : 0);
		put32(page + 4, i * 96);
		segment[page + 8] = (unsigned char)(tag << 3);
		put32(page + 28, block);
	}
}

static uintptr_t page_start(unsigned slice)
{
	return (uintptr_t)segment + slice * SLICE;
}

static void put_object(uintptr_t at, const struct type *type)
{
	struct head head = {.type = (uintptr_t)type};

	memcpy((void *)at, &head, sizeof(head));
}

static void on_fault(int sig, siginfo_t *info, void *uc)
{
	(void)info;
	if (!ftsan_safe_read_fixup(uc))
		signal(sig, SIG_DFL);
}

static void setup(void)
{
	struct sigaction act = {.sa_sigaction = on_fault,
				.sa_flags = SA_SIGINFO | SA_NODEFER};
	const struct member *table = members;
	const uint64_t makes_types = UINT64_C(1) << 31;
	uintptr_t reserved;

	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
	abi = (struct ftsan_pyabi){.known = true,
				   .free_threaded = true,
				   .version = 0x030e07f0,
				   .object_size = OBJECT,
				   .ob_type = 24,
				   .type_name = 40};
	type_type.head.type = (uintptr_t)&type_type;
	thing_type.head.type = (uintptr_t)&type_type;
	memcpy(type_type.slots + 144 - 8, &makes_types, sizeof(makes_types));
	thing_type.name = "made.Thing";
	memcpy(thing_type.slots + 216 - 8, &table, sizeof(table));
	reserved = (uintptr_t)mmap(NULL, 2 * SEGMENT, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	segment = (unsigned char *)((reserved + SEGMENT - 1) & ~(uintptr_t)(SEGMENT - 1));
	put64(216, (uintptr_t)segment ^ 0x1234567);
	put64(224, 512);
	put64(232, 1);
	put64(248, 512);
	make_page(1, 1, 64, 1);
	make_page(2, 1, 96, 3);
	make_page(3, 4, 3000, 0);
	ftsan_memory_init(&abi, (uintptr_t)&type_type);
	/* The first object that is looked at tells the process's cookie. */
	put_object(page_start(1) + 3 * 64, &thing_type);
}

START_TEST(field_of_an_object)
{
	uintptr_t object = page_start(1) + 3 * 64;
	struct ftsan_memory memory;
	char text[128], name[32];
	struct ftsan_buf buf;

	ftsan_memory_look(object + OBJECT + 8, &memory);
	ck_assert_int_eq(memory.kind, FTSAN_MEMORY_OBJECT);
	ck_assert_uint_eq(memory.object, object);
	ck_assert_uint_eq(memory.type, (uintptr_t)&thing_type);
	ck_assert_uint_eq(ftsan_memory_offset(&memory), OBJECT + 8);
	ck_assert(!ftsan_memory_is_header(&memory));
	ck_assert(ftsan_memory_field_name(&memory, name, sizeof(name)));
	ck_assert_str_eq(name, "second");
	ftsan_buf_init(&buf, text, sizeof(text));
	ftsan_memory_describe(&memory, &buf);
	ck_assert_str_eq(ftsan_buf_cstr(&buf), "field second (+40) of a made.Thing");
	ck_assert(ftsan_memory_is_object(object));
	ck_assert(!ftsan_memory_is_object(object + 8));
}
END_TEST

START_TEST(header_of_an_object)
{
	uintptr_t object = page_start(1) + 3 * 64;
	struct ftsan_memory memory;

	for (unsigned i = 0; i < OBJECT; i++) {
		ftsan_memory_look(object + i, &memory);
		ck_assert(ftsan_memory_is_header(&memory));
	}
	/* A static object's is told by the look of it. */
	ftsan_memory_look((uintptr_t)&thing_type + 8, &memory);
	ck_assert(ftsan_memory_is_header(&memory));
	ftsan_memory_look((uintptr_t)&thing_type + 200, &memory);
	ck_assert(!ftsan_memory_is_header(&memory));
}
END_TEST

/* A static that holds a reference is no header, whatever precedes it. */
START_TEST(references_are_no_headers)
{
	/* What the linker puts beside it may look like an object. */
	static uintptr_t cache[16];
	struct ftsan_memory memory;

	put_object(page_start(1) + 3 * 64, &thing_type);
	ck_assert(ftsan_memory_is_type((uintptr_t)&thing_type));
	ck_assert(!ftsan_memory_is_type(page_start(1) + 3 * 64));
	cache[11] = page_start(1) + 3 * 64;
	ftsan_memory_look((uintptr_t)&cache[11], &memory);
	ck_assert(!ftsan_memory_is_header(&memory));
	ftsan_memory_look((uintptr_t)&cache[8], &memory);
	ck_assert(!ftsan_memory_is_header(&memory));
	cache[11] = (uintptr_t)&thing_type;
	ck_assert(ftsan_memory_is_header(&memory));
}
END_TEST

START_TEST(two_words_precede)
{
	uintptr_t block, object;
	struct ftsan_memory memory;

	ftsan_memory_look(page_start(1) + 3 * 64, &memory);
	block = page_start(2) + 96 + 2 * 96;
	object = block + 16;
	put_object(object, &thing_type);
	ftsan_memory_look(object + OBJECT, &memory);
	ck_assert_uint_eq(memory.begin, block);
	ck_assert_uint_eq(memory.object, object);
	ck_assert_uint_eq(memory.type, (uintptr_t)&thing_type);
}
END_TEST

START_TEST(raw_block_in_a_long_page)
{
	struct ftsan_memory memory;

	ftsan_memory_look(page_start(1) + 3 * 64, &memory);
	/* In the page's third slice, which says how far back the first one is. */
	ftsan_memory_look(page_start(5) + 5, &memory);
	ck_assert_int_eq(memory.kind, FTSAN_MEMORY_BLOCK);
	ck_assert_uint_eq(memory.size, 3000);
	ck_assert_uint_eq(memory.begin, page_start(3) + (2 * SLICE + 5) / 3000 * 3000);
	ck_assert(!ftsan_memory_is_header(&memory));
}
END_TEST

START_TEST(no_block_without_an_object)
{
	struct ftsan_memory memory;

	/* Nobody has seen an object there yet, and another type's pointer is none. */
	put64((size_t)SLICE + 3 * 64 + 24, 0x1000);
	ftsan_memory_look(page_start(1) + 3 * 64 + 40, &memory);
	ck_assert_int_ne(memory.kind, FTSAN_MEMORY_OBJECT);
	ftsan_memory_look(page_start(4), &memory);
	ck_assert_int_ne(memory.kind, FTSAN_MEMORY_BLOCK);
}
END_TEST

START_TEST(another_cookie_is_no_segment)
{
	struct ftsan_memory memory;

	ftsan_memory_look(page_start(1) + 3 * 64, &memory);
	ck_assert_int_eq(memory.kind, FTSAN_MEMORY_OBJECT);
	put64(216, (uintptr_t)segment ^ 0x7654321);
	ftsan_memory_look(page_start(1) + 3 * 64, &memory);
	ck_assert_int_eq(memory.kind, FTSAN_MEMORY_UNKNOWN);
}
END_TEST

START_TEST(garbage_is_no_memory)
{
	static const uintptr_t addresses[] = {
		0, 1, 4096, SEGMENT, UINTPTR_MAX, UINTPTR_MAX - 7, (uintptr_t)1 << 47};
	struct ftsan_memory memory;
	struct ftsan_buf buf;
	struct ftsan_map_entry entry;
	char text[64];

	for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		ftsan_memory_look(addresses[i], &memory);
		ck_assert_int_eq(memory.kind, FTSAN_MEMORY_UNKNOWN);
		ck_assert(!ftsan_memory_is_header(&memory));
		ck_assert(!ftsan_memory_is_object(addresses[i]));
		ck_assert(!ftsan_map_find(addresses[i], false, &entry));
		ftsan_buf_init(&buf, text, sizeof(text));
		ftsan_memory_describe(&memory, &buf);
		ck_assert_str_eq(ftsan_buf_cstr(&buf), "unmapped memory");
	}
}
END_TEST

START_TEST(mappings)
{
	struct ftsan_map_entry entry;
	char *heap = malloc(100);

	ck_assert(ftsan_map_find((uintptr_t)heap, false, &entry));
	ck_assert(ftsan_map_find((uintptr_t)&entry, false, &entry));
	ck_assert_str_eq(entry.access, "rw-p");
	ck_assert(ftsan_map_find((uintptr_t)&abi, false, &entry));
	ck_assert(ftsan_map_find((uintptr_t)setup, false, &entry));
	ck_assert(strstr(entry.name, "test_memory") != NULL && entry.access[2] == 'x');
	ck_assert(!ftsan_map_find(1, false, &entry));
	ck_assert(ftsan_map_find(1, true, &entry) && entry.begin > 1);
	free(heap);
}
END_TEST

START_TEST(unknown_interpreters)
{
	struct ftsan_memory memory;

	abi.version = 0x03100000;
	ftsan_memory_init(&abi, (uintptr_t)&type_type);
	ftsan_memory_look(page_start(1) + 3 * 64, &memory);
	ck_assert_int_eq(memory.kind, FTSAN_MEMORY_UNKNOWN);
	ck_assert(strstr(ftsan_memory_blocks_name(), "unknown layout") != NULL);
	abi.known = false;
	ftsan_memory_init(&abi, (uintptr_t)&type_type);
	ftsan_memory_look((uintptr_t)&thing_type, &memory);
	ck_assert(!ftsan_memory_is_header(&memory));
	ck_assert(strstr(ftsan_memory_blocks_name(), "unknown CPython") != NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memory");
	TCase *test = tcase_create("memory");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(test, setup, NULL);
	tcase_add_test(test, field_of_an_object);
	tcase_add_test(test, header_of_an_object);
	tcase_add_test(test, references_are_no_headers);
	tcase_add_test(test, two_words_precede);
	tcase_add_test(test, raw_block_in_a_long_page);
	tcase_add_test(test, no_block_without_an_object);
	tcase_add_test(test, another_cookie_is_no_segment);
	tcase_add_test(test, garbage_is_no_memory);
	tcase_add_test(test, mappings);
	tcase_add_test(test, unknown_interpreters);
	suite_add_tcase(suite, test);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
