/*
 * Where dlopen finds things; the same with and without libftsan.
 *
 *   dl DIRECTORY: libcaller_{runpath,rpath,plain}.so in it; the first two search
 *   DIRECTORY/deps; libleaf.so there says 1, the one in DIRECTORY/other says 2
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>

#include "support/expect.h"
#include "support/fake_runtime.h"

PRETEND_CPYTHON;

typedef void *(*open_fn)(const char *, int);

static const char *directory;

static const char *in(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static open_fn caller(const char *name)
{
	void *handle = dlopen(in(name), RTLD_NOW);

	EXPECT(handle);
	return (open_fn)dlsym(handle, "open_for_me");
}

/* What leaf() of the library says, -1 if it was not found; closed again. */
static int opened(open_fn open, const char *name)
{
	void *handle = open(name, RTLD_NOW);
	int (*leaf)(void);
	int value = -1;

	if (handle) {
		leaf = (int (*)(void))dlsym(handle, "leaf");
		value = leaf ? leaf() : -2;
		dlclose(handle);
	}
	return value;
}

static void searched(void)
{
	open_fn runpath = caller("libcaller_runpath.so");
	open_fn rpath = caller("libcaller_rpath.so");
	open_fn plain = caller("libcaller_plain.so");

	EXPECT(opened(runpath, "libleaf.so") == 1);
	EXPECT(opened(rpath, "libleaf.so") == 1);
	EXPECT(opened(plain, "libleaf.so") == -1);
	EXPECT(opened(dlopen, "libleaf.so") == -1);
	EXPECT(opened(runpath, "$ORIGIN/deps/libleaf.so") == 1);
	EXPECT(opened(plain, "${ORIGIN}/other/libleaf.so") == 2);
	EXPECT(opened(plain, in("other/libleaf.so")) == 2);
	EXPECT(opened(runpath, "libm.so.6") == -2);
	EXPECT(plain(NULL, RTLD_NOW) == dlopen(NULL, RTLD_NOW));
}

/* With LD_LIBRARY_PATH=DIRECTORY/other: after DT_RPATH, before DT_RUNPATH. */
static void library_path(void)
{
	EXPECT(opened(caller("libcaller_runpath.so"), "libleaf.so") == 2);
	EXPECT(opened(caller("libcaller_rpath.so"), "libleaf.so") == 1);
	EXPECT(opened(caller("libcaller_plain.so"), "libleaf.so") == 2);
}

/* A name that is loaded already is not searched for. */
static void loaded_first(void)
{
	open_fn runpath = caller("libcaller_runpath.so");
	void *other = dlopen(in("other/libleaf.so"), RTLD_NOW);

	EXPECT(other);
	EXPECT(runpath("libleaf.so", RTLD_NOW) == other);
	EXPECT(runpath("libleaf.so", RTLD_NOW | RTLD_NOLOAD) == other);
}

static void not_loaded(void)
{
	EXPECT(!caller("libcaller_runpath.so")("libleaf.so", RTLD_NOW | RTLD_NOLOAD));
}

static void errors(void)
{
	open_fn runpath = caller("libcaller_runpath.so");
	const char *text;

	errno = ENOTTY;
	dlerror();
	EXPECT(!runpath("libnowhere.so", RTLD_NOW));
	text = dlerror();
	EXPECT(text && strcmp(text, "libnowhere.so: cannot open shared object file: "
				    "No such file or directory") == 0);
	EXPECT(!dlerror());
	EXPECT(runpath("libleaf.so", RTLD_NOW));
	EXPECT(!dlerror());
}

static void reloaded(void)
{
	int modules = logged("modules");

	for (int i = 0; i < 3; i++)
		EXPECT(opened(dlopen, in("other/libleaf.so")) == 2);
	EXPECT(modules < 0 || logged("modules") == modules + 6);
}

int main(int argc, char **argv)
{
	EXPECT(argc > 1);
	directory = argv[1];
	if (getenv("LD_LIBRARY_PATH")) {
		EXPECT_SUCCESS(library_path);
		return 0;
	}
	EXPECT_SUCCESS(searched);
	EXPECT_SUCCESS(loaded_first);
	EXPECT_SUCCESS(not_loaded);
	EXPECT_SUCCESS(errors);
	EXPECT_SUCCESS(reloaded);
	return 0;
}
