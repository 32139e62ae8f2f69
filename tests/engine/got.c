/*
 * Redirecting the imports of real libraries.
 *
 *   got DIRECTORY: libgot_{lazy,full,noplt}.so in it
 */
#include <dlfcn.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "elf/got.h"
#include "support/expect.h"

static const char *directory;
static int (*target)(int);

static int replacement(int value)
{
	return target(value) + 1000;
}

static int foreign(int value)
{
	return target(value) + 5000;
}

static struct ftsan_got_hook hook = {
	.name = "got_target",
	.replacement = (uintptr_t)replacement,
};
static _Atomic uint32_t count;
static struct ftsan_got got = {.hooks = &hook, .n_hooks = 1, .counts = &count};

struct subject {
	void *handle;
	int (*call)(int);
	void *(*address)(void);
	int (**pointer)(int);
};

static struct subject subject(const char *name)
{
	struct subject subject;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	subject.handle = dlopen(path, RTLD_LAZY);
	EXPECT(subject.handle);
	subject.call = (int (*)(int))dlsym(subject.handle, "got_call");
	subject.address = (void *(*)(void))dlsym(subject.handle, "got_address");
	subject.pointer = (int (**)(int))dlsym(subject.handle, "got_pointer");
	return subject;
}

/* Every mapping of the library, with its protection. */
static void mappings(const char *name, char *out, size_t size)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[PATH_MAX];

	*out = '\0';
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, name))
			strncat(out, line, size - strlen(out) - 1);
	fclose(maps);
	EXPECT(*out);
}

static void one(const char *name)
{
	char before[8192], after[8192];
	struct subject s = subject(name);
	void *bare = s.address();

	EXPECT(bare == (void *)target);
	mappings(name, before, sizeof(before));
	EXPECT(ftsan_got_update(&got));
	mappings(name, after, sizeof(after));
	EXPECT(strcmp(before, after) == 0);
	EXPECT(s.call(1) == 1002);
	EXPECT(s.address() == (void *)replacement);
	EXPECT((*s.pointer)(1) == 2); /* data is the program's */
	EXPECT(count == 1 && got.foreign == 0 && got.failed == 0);
	EXPECT(!ftsan_got_update(&got));
	ftsan_got_restore(&got, 0);
	mappings(name, after, sizeof(after));
	EXPECT(strcmp(before, after) == 0);
	EXPECT(s.call(1) == 2 && s.address() == bare && count == 0);
	dlclose(s.handle);
}

static void lazy(void)
{
	one("libgot_lazy.so");
}

static void full(void)
{
	one("libgot_full.so");
}

static void noplt(void)
{
	one("libgot_noplt.so");
}

/* The next library lies where the last one lay, and is another one. */
static void address_reused(void)
{
	struct subject s = subject("libgot_full.so");

	for (int i = 0; i < 6; i++) {
		EXPECT(ftsan_got_update(&got) && count == 1);
		EXPECT(s.call(1) == 1002);
		dlclose(s.handle);
		s = subject(i % 2 ? "libgot_full.so" : "libgot_lazy.so");
		EXPECT(s.call(1) == 2);
	}
}

static void later_ones(void)
{
	struct subject a = subject("libgot_full.so"), b;

	EXPECT(ftsan_got_update(&got) && count == 1);
	b = subject("libgot_lazy.so");
	EXPECT(ftsan_got_update(&got) && count == 2);
	EXPECT(a.call(1) == 1002 && b.call(1) == 1002);
	dlclose(b.handle);
	EXPECT(ftsan_got_update(&got) && count == 1);
}

static void others_interposer(void)
{
	struct subject s = subject("libgot_full.so");
	struct ftsan_got_hook theirs = {.name = "got_target",
					.original = (uintptr_t)target,
					.replacement = (uintptr_t)foreign};

	EXPECT(ftsan_got_redirect((void *)s.call, &theirs) > 0);
	EXPECT(s.call(1) == 5002);
	EXPECT(ftsan_got_update(&got) && count == 0 && got.foreign > 0);
	EXPECT(s.call(1) == 5002);
	ftsan_got_restore(&got, 0);
	EXPECT(s.call(1) == 5002);
}

static void in_one_object(void)
{
	struct subject a = subject("libgot_full.so"), b = subject("libgot_noplt.so");

	EXPECT(ftsan_got_redirect((void *)a.pointer, &hook) > 0);
	EXPECT(a.call(1) == 1002 && b.call(1) == 2);
}

int main(int argc, char **argv)
{
	char path[PATH_MAX];
	void *handle;

	EXPECT(argc > 1);
	directory = argv[1];
	snprintf(path, sizeof(path), "%s/libgot_target.so", directory);
	handle = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	EXPECT(handle);
	target = (int (*)(int))dlsym(handle, "got_target");
	hook.original = (uintptr_t)target;
	EXPECT_SUCCESS(lazy);
	EXPECT_SUCCESS(full);
	EXPECT_SUCCESS(noplt);
	EXPECT_SUCCESS(address_reused);
	EXPECT_SUCCESS(later_ones);
	EXPECT_SUCCESS(others_interposer);
	EXPECT_SUCCESS(in_one_object);
	return 0;
}
