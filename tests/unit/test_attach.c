/* target, inject, elf_image: who may be attached to, and where. */
#include <check.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "attach/elf_image.h"
#include "attach/inject_point.h"
#include "attach/inject_registers.h"
#include "attach/target.h"

/* --- refusals ---------------------------------------------------------------------- */

START_TEST(advice)
{
	static const struct {
		struct ftsan_refusal refusal;
		const char *says;
	} cases[] = {
		{{.own_uid = 1000, .uid = 1001, .scope = -1}, "another user"},
		{{.own_uid = 1000, .uid = 0, .scope = 1}, "another user"},
		{{.own_uid = 1000, .uid = 1000, .scope = 1}, "sysctl kernel.yama."},
		{{.own_uid = 1000, .uid = 1000, .scope = 2}, "only root may"},
		{{.own_uid = 1000, .uid = 1000, .scope = 3}, "next boot"},
		{{.own_uid = 0, .uid = 0, .scope = 3}, "next boot"},
		{{.own_uid = 0, .uid = 1000, .scope = 0}, "--cap-add=SYS_PTRACE"},
		{{.own_uid = 0, .uid = 0, .scope = -1}, "--cap-add=SYS_PTRACE"},
		{{.own_uid = 1000, .uid = 1000, .scope = 0}, "not dumpable"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(strstr(ftsan_refusal_advice(&cases[i].refusal),
				     cases[i].says) != NULL,
			      "%zu: %s", i, ftsan_refusal_advice(&cases[i].refusal));
}
END_TEST

/* --- points ------------------------------------------------------------------------ */

enum { WAIT = 0x80, WAIT_BITSET = 0x189, INTERRUPTED = -512, ROOM = FTSAN_INJECT_STACK };

/* A point where the code may run but for what is said. */
#define IN_PYTHON .in_python = true, .stack_room = ROOM
#define IN_CALL(name) .in_syscall = true, .number = SYS_##name, .stack_room = ROOM

START_TEST(points)
{
	static const struct {
		struct ftsan_stop stop;
		bool may;
	} cases[] = {
		{{IN_PYTHON}, true},
		{{IN_PYTHON, .blocked = 1}, false},
		{{.in_python = true, .stack_room = ROOM - 1}, false},
		{{.in_python = false, .stack_room = ROOM}, false},
		{{IN_CALL(poll)}, true},
		{{IN_CALL(poll), .blocked = 1}, false},
		{{.in_syscall = true, .number = SYS_poll}, false},
		{{IN_CALL(mmap)}, false},
		{{IN_CALL(mmap), .in_python = true}, false},
		{{IN_CALL(read), .result = 4096}, false},
		{{IN_CALL(read), .result = INTERRUPTED}, true},
		{{IN_CALL(futex), .second = WAIT}, false},
		{{IN_CALL(futex), .second = WAIT_BITSET}, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(ftsan_inject_may(&cases[i].stop) == cases[i].may,
			      "case %zu", i);
}
END_TEST

/* --- objects ----------------------------------------------------------------------- */

static bool read_own(void *argument, uint64_t address, void *to, size_t size)
{
	(void)argument;
	memcpy(to, (const void *)(uintptr_t)address, size);
	return true;
}

static struct ftsan_elf_image image_of(const void *inside)
{
	struct ftsan_elf_image image;
	Dl_info info;

	ck_assert_int_ne(dladdr(inside, &info), 0);
	ck_assert_int_eq(ftsan_elf_image_open(&image, read_own, NULL,
					      (uint64_t)(uintptr_t)info.dli_fbase),
			 0);
	return image;
}

START_TEST(symbols)
{
	static const char *const names[] = {"dlopen",		"dlsym",  "dlerror",
					    "__errno_location", "malloc", "environ"};
	struct ftsan_elf_image image = image_of((const void *)getenv);
	/* Sanitizers have a malloc and others of their own in front of libc's. */
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

	ck_assert_ptr_nonnull(libc);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ck_assert_uint_eq(ftsan_elf_image_symbol(&image, names[i]),
				  (uintptr_t)dlsym(libc, names[i]));
	ck_assert_uint_eq(ftsan_elf_image_symbol(&image, "no_such_function"), 0);
	ck_assert_uint_eq(ftsan_elf_image_symbol(&image, ""), 0);
}
END_TEST

/* The loader tells what is at an address: nothing may be at the cave. */
START_TEST(cave)
{
	struct ftsan_elf_image image = image_of((const void *)getenv);
	uint64_t found = ftsan_elf_image_cave(&image, 16);
	size_t code = (size_t)(ftsan_inject_code_end - ftsan_inject_code);

	ck_assert_uint_lt(code, 512);
	ck_assert_uint_eq(ftsan_elf_image_cave(&image, 5000), 0);
	if (found == 0)
		return; /* this libc's code fills its last page */
	ck_assert_uint_eq(found % 16, 0);
	ck_assert_uint_le(found % 4096 + 16, 4096);
}
END_TEST

START_TEST(no_object)
{
	static char page[4096] = "no ELF object";
	struct ftsan_elf_image image;

	ck_assert_int_ne(
		ftsan_elf_image_open(&image, read_own, NULL, (uint64_t)(uintptr_t)page),
		0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("attach");
	TCase *tcase = tcase_create("attach");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, advice);
	tcase_add_test(tcase, points);
	tcase_add_test(tcase, symbols);
	tcase_add_test(tcase, cave);
	tcase_add_test(tcase, no_object);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
