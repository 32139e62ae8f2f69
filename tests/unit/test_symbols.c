#include <check.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stacks/stacks.h"

/* Of the names that make the evaluation loop, and of names that only look like them. */
int _PyEval_EvalFrameDefault(int x);
int _TAIL_CALL_LOAD_FAST(int x);
int _PyEval_EvalFrameDefaults(int x);
int PyEval_EvalFrame(int x);

__attribute__((noinline)) int _PyEval_EvalFrameDefault(int x)
{
	return x + 1;
}

__attribute__((noinline)) int _TAIL_CALL_LOAD_FAST(int x)
{
	return x + 2;
}

__attribute__((noinline)) int _PyEval_EvalFrameDefaults(int x)
{
	return x + 3;
}

__attribute__((noinline)) int PyEval_EvalFrame(int x)
{
	return x + 4;
}

__attribute__((noinline)) static int own_static_function(int x)
{
	return x * 3;
}

static char name[FTSAN_SYMBOL_MAX];

static void refresh(void)
{
	ck_assert_int_gt(ftsan_modules_refresh(dl_iterate_phdr), 2);
}

START_TEST(names_own_functions)
{
	uintptr_t pc = (uintptr_t)own_static_function;

	refresh();
	ck_assert_int_eq(ftsan_symbol_name(pc, name), 0);
	ck_assert_str_eq(name, "own_static_function");
	ck_assert_int_eq(ftsan_symbol_name(pc + 1, name), 0);
	ck_assert_str_eq(name, "own_static_function");
	ck_assert_int_eq(ftsan_symbol_name((uintptr_t)names_own_functions_fn, name), 0);
	ck_assert_str_eq(name, "names_own_functions_fn");
	/* From the cache. */
	ck_assert_int_eq(ftsan_symbol_name(pc + 1, name), 0);
	ck_assert_str_eq(name, "own_static_function");
}
END_TEST

START_TEST(names_functions_of_libraries)
{
	const struct ftsan_module *module;

	refresh();
	ck_assert_int_eq(
		ftsan_symbol_name((uintptr_t)dlsym(RTLD_DEFAULT, "insque") + 1, name), 0);
	ck_assert_str_eq(name, "insque");
	module = ftsan_module_of((uintptr_t)dlsym(RTLD_DEFAULT, "insque"));
	ck_assert_ptr_nonnull(module);
	ck_assert_ptr_nonnull(strstr(module->path, "/libc.so.6"));
	ck_assert_uint_eq(strlen(module->build_id), 40);
}
END_TEST

START_TEST(knows_the_executable_by_its_path)
{
	char self[FTSAN_PATH_MAX] = "", build_id[FTSAN_BUILD_ID_HEX];
	const struct ftsan_module *module;
	int fd;

	refresh();
	ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	module = ftsan_module_of((uintptr_t)own_static_function);
	ck_assert_ptr_nonnull(module);
	ck_assert_str_eq(module->path, self);
	fd = open(self, O_RDONLY | O_CLOEXEC);
	(void)ftsan_elf_file_build_id(fd, build_id, sizeof(build_id));
	ck_assert_str_eq(module->build_id, build_id);
	close(fd);
}
END_TEST

START_TEST(garbage_has_no_name)
{
	static const uintptr_t garbage[] = {0, 1, 4096, UINTPTR_MAX, 0x8000000000000000};

	refresh();
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		ck_assert_ptr_null(ftsan_module_of(garbage[i]));
		ck_assert_int_eq(ftsan_symbol_name(garbage[i], name), -ENOENT);
		ck_assert_str_eq(name, "");
		ck_assert_int_eq(ftsan_symbol_is_eval(garbage[i]), FTSAN_EVAL_NONE);
	}
	/* Data is in a module, but in no function. */
	ck_assert_ptr_nonnull(ftsan_module_of((uintptr_t)name));
	ck_assert_int_eq(ftsan_symbol_name((uintptr_t)name, name), -ENOENT);
}
END_TEST

START_TEST(nothing_is_known_before_the_first_refresh)
{
	ck_assert_ptr_null(ftsan_module_of((uintptr_t)own_static_function));
	ck_assert_int_eq(ftsan_symbol_name((uintptr_t)own_static_function, name),
			 -ENOENT);
}
END_TEST

START_TEST(tells_the_evaluation_loop)
{
	refresh();
	ck_assert_int_eq(ftsan_symbol_is_eval((uintptr_t)_PyEval_EvalFrameDefault),
			 FTSAN_EVAL_LOOP);
	ck_assert_int_eq(ftsan_symbol_is_eval((uintptr_t)_TAIL_CALL_LOAD_FAST),
			 FTSAN_EVAL_INNER);
	ck_assert_int_eq(ftsan_symbol_is_eval((uintptr_t)_PyEval_EvalFrameDefaults),
			 FTSAN_EVAL_NONE);
	ck_assert_int_eq(ftsan_symbol_is_eval((uintptr_t)PyEval_EvalFrame),
			 FTSAN_EVAL_NONE);
	ck_assert_int_eq(own_static_function(_PyEval_EvalFrameDefault(1)) +
				 _TAIL_CALL_LOAD_FAST(1) + _PyEval_EvalFrameDefaults(1) +
				 PyEval_EvalFrame(1),
			 18);
}
END_TEST

START_TEST(unloaded_modules_still_resolve)
{
	void *lib = dlopen(FTSAN_LIBUNWIND_SONAME, RTLD_NOW | RTLD_LOCAL);
	uintptr_t pc;

	ck_assert_ptr_nonnull(lib);
	pc = (uintptr_t)dlsym(lib, "_ULx86_64_step");
	ck_assert_ptr_null(ftsan_module_of(pc));
	refresh();
	ck_assert_ptr_nonnull(ftsan_module_of(pc));
	dlclose(lib);
	refresh();
	ck_assert_int_eq(ftsan_symbol_name(pc, name), 0);
	ck_assert_str_eq(name, "_ULx86_64_step");
}
END_TEST

/* Make-believe objects of 64 KiB each. */
struct fake {
	const char *path;
	uintptr_t base;
};

static const struct fake *fakes;
static unsigned n_fakes;

static int fake_iterate(ftsan_phdr_callback callback, void *argument)
{
	ElfW(Phdr) load = {.p_type = PT_LOAD, .p_memsz = 0x10000};

	for (unsigned i = 0; i < n_fakes; i++) {
		struct dl_phdr_info info = {.dlpi_addr = fakes[i].base,
					    .dlpi_name = fakes[i].path,
					    .dlpi_phdr = &load,
					    .dlpi_phnum = 1};

		callback(&info, sizeof(info), argument);
	}
	return 0;
}

static void refresh_fakes(const struct fake *list, unsigned count)
{
	fakes = list;
	n_fakes = count;
	ck_assert_int_eq(ftsan_modules_refresh(fake_iterate), (int)count);
}

static const struct fake first[] = {{"/one", 0x100000}, {"/two", 0x200000}};
static const struct fake second[] = {{"/three", 0x108000}, {"/two", 0x200000}};

START_TEST(the_present_owner_of_an_address_answers)
{
	const struct ftsan_module *two, *one;

	refresh_fakes(first, 2);
	one = ftsan_module_of(0x100000);
	two = ftsan_module_of(0x20ffff);
	ck_assert_str_eq(one->path, "/one");
	ck_assert_str_eq(two->path, "/two");
	ck_assert_ptr_null(ftsan_module_of(0x210000));
	ck_assert_ptr_null(ftsan_module_of(0x0fffff));
	refresh_fakes(second, 2);
	ck_assert_str_eq(ftsan_module_of(0x108000)->path, "/three");
	ck_assert_ptr_eq(ftsan_module_of(0x200000), two);
	/* Partly replaced is replaced; who holds the old one keeps it. */
	ck_assert_ptr_null(ftsan_module_of(0x100000));
	ck_assert_str_eq(one->path, "/one");
	refresh_fakes(first, 2);
	ck_assert_ptr_eq(ftsan_module_of(0x108000), one);
	ck_assert_ptr_null(ftsan_module_of(0x110000));
}
END_TEST

START_TEST(objects_without_a_file_have_no_names)
{
	static const struct fake vdso[] = {{"linux-vdso.so.1", 0x300000},
					   {"/gone", 0x400000}};

	refresh_fakes(vdso, 2);
	ck_assert_ptr_nonnull(ftsan_module_of(0x300010));
	ck_assert_int_eq(ftsan_symbol_name(0x300010, name), -ENOENT);
	ck_assert_int_eq(ftsan_symbol_name(0x400010, name), -ENOENT);
}
END_TEST

START_TEST(a_file_that_was_replaced_gives_no_names)
{
	char self[FTSAN_PATH_MAX] = "";
	struct fake stale;

	/* Our own file, but of an object without its build-id. */
	ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	refresh();
	if (ftsan_module_of((uintptr_t)own_static_function)->build_id[0] == '\0')
		return;
	stale = (struct fake){self, 0x500000};
	refresh_fakes(&stale, 1);
	ck_assert_int_eq(ftsan_symbol_name(0x502000, name), -ENOENT);
}
END_TEST

static int nested_result;

static int nesting_iterate(ftsan_phdr_callback callback, void *argument)
{
	nested_result = ftsan_modules_refresh(fake_iterate);
	return fake_iterate(callback, argument);
}

START_TEST(one_refresh_at_a_time)
{
	fakes = first;
	n_fakes = 2;
	ck_assert_int_eq(ftsan_modules_refresh(nesting_iterate), 2);
	ck_assert_int_eq(nested_result, -EBUSY);
	ck_assert_int_eq(ftsan_modules_refresh(fake_iterate), 2);
}
END_TEST

static _Atomic bool stop;

static void *read_modules(void *argument)
{
	unsigned long *wrong = argument;

	while (!stop) {
		const struct ftsan_module *module = ftsan_module_of(0x108010);

		if (module != NULL &&
		    !(strcmp(module->path, "/one") == 0 && module->bias == 0x100000) &&
		    !(strcmp(module->path, "/three") == 0 && module->bias == 0x108000))
			(*wrong)++;
		module = ftsan_module_of(0x200010);
		if (module == NULL || strcmp(module->path, "/two") != 0)
			(*wrong)++;
	}
	return NULL;
}

START_TEST(readers_go_on_while_the_table_changes)
{
	unsigned long wrong = 0;
	pthread_t reader;

	refresh_fakes(first, 2);
	ck_assert_int_eq(pthread_create(&reader, NULL, read_modules, &wrong), 0);
	for (int i = 0; i < 20000; i++)
		refresh_fakes(i % 2 == 0 ? second : first, 2);
	stop = true;
	pthread_join(reader, NULL);
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(build_id_of_notes)
{
	static const unsigned char notes[] = {
		4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 'G', 'N', 'U', 0, 9,    9,	  0,	0,
		4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 0xab, 0x01, 0xff, 0,
	};
	char hex[FTSAN_BUILD_ID_HEX], small[4];

	ck_assert(ftsan_elf_build_id(notes, sizeof(notes), 4, hex, sizeof(hex)));
	ck_assert_str_eq(hex, "ab01ff");
	ck_assert(ftsan_elf_build_id(notes, sizeof(notes), 4, small, sizeof(small)));
	ck_assert_str_eq(small, "ab");
	for (size_t size = 0; size < 39; size++) {
		ck_assert(!ftsan_elf_build_id(notes, size, 4, hex, sizeof(hex)));
		ck_assert_str_eq(hex, "");
	}
}
END_TEST

/* copy_of_self() - the first bytes of this executable, with one of them changed */
static int copy_of_self(size_t size_bytes, size_t change)
{
	int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int to = memfd_create("copy", MFD_CLOEXEC);
	unsigned char *bytes = malloc(size_bytes);
	ssize_t got = read(from, bytes, size_bytes);

	ck_assert_int_gt(got, 0);
	if (change < (size_t)got)
		bytes[change] ^= 0xff;
	ck_assert_int_eq(write(to, bytes, (size_t)got), got);
	free(bytes);
	close(from);
	return to;
}

START_TEST(broken_files_have_no_functions)
{
	static const size_t sizes[] = {1, 16, 64, 1000, 5000};
	char hex[FTSAN_BUILD_ID_HEX];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int fd = copy_of_self(sizes[i], SIZE_MAX);

		ck_assert_int_eq(ftsan_elf_function_at(fd, 0x1234, name, sizeof(name)),
				 -ENOENT);
		ck_assert_str_eq(name, "");
		(void)ftsan_elf_file_build_id(fd, hex, sizeof(hex));
		close(fd);
	}
	for (size_t change = 0; change < sizeof(Elf64_Ehdr); change++) {
		int fd = copy_of_self(1 << 24, change);

		(void)ftsan_elf_function_at(fd, 0x1234, name, sizeof(name));
		(void)ftsan_elf_file_build_id(fd, hex, sizeof(hex));
		close(fd);
	}
	ck_assert_int_eq(ftsan_elf_function_at(-1, 0, name, sizeof(name)), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("symbols");
	TCase *tcase = tcase_create("symbols");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, names_own_functions);
	tcase_add_test(tcase, names_functions_of_libraries);
	tcase_add_test(tcase, knows_the_executable_by_its_path);
	tcase_add_test(tcase, garbage_has_no_name);
	tcase_add_test(tcase, nothing_is_known_before_the_first_refresh);
	tcase_add_test(tcase, tells_the_evaluation_loop);
	tcase_add_test(tcase, unloaded_modules_still_resolve);
	tcase_add_test(tcase, the_present_owner_of_an_address_answers);
	tcase_add_test(tcase, objects_without_a_file_have_no_names);
	tcase_add_test(tcase, a_file_that_was_replaced_gives_no_names);
	tcase_add_test(tcase, one_refresh_at_a_time);
	tcase_add_test(tcase, readers_go_on_while_the_table_changes);
	tcase_add_test(tcase, build_id_of_notes);
	tcase_add_test(tcase, broken_files_have_no_functions);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
