#include "symbols/symbolize_file.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/common.h"

/* struct search - a module that is being looked for */
struct search {
	struct ftsan_symbol_file *file;
	const Dwfl_Callbacks *callbacks;
	const struct ftsan_symbolizer_options *options;
	const char *path, *build_id;
};

static char *build_id_of(Dwfl_Module *handle)
{
	const unsigned char *bytes = NULL;
	GElf_Addr address;
	int length = dwfl_module_build_id(handle, &bytes, &address);
	char *hex = ftsan_xcalloc(length > 0 ? (size_t)length : 0, 2 * sizeof(*hex) + 1);

	for (int i = 0; i < length; i++) {
		hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	return hex;
}

static bool fits(struct search *search, Dwfl_Module *handle, const char *name)
{
	char *build_id;
	bool same;

	if (search->build_id == NULL)
		return true;
	build_id = build_id_of(handle);
	same = strcmp(build_id, search->build_id) == 0;
	if (!same && search->file->stale == NULL)
		search->file->stale = ftsan_xprintf(
			"%s has the build id %s, but %s ran", name,
			build_id[0] != '\0' ? build_id : "(none)", search->build_id);
	free(build_id);
	return same;
}

/* Takes @fd, which may be -1. */
static bool try_descriptor(struct search *search, const char *name, int fd)
{
	struct ftsan_symbol_file *file = search->file;

	if (fd < 0)
		return false;
	file->dwfl = dwfl_begin(search->callbacks);
	if (file->dwfl == NULL) {
		close(fd);
		return false;
	}
	file->handle = dwfl_report_offline(file->dwfl, name, name, fd);
	if (file->handle == NULL)
		close(fd);
	dwfl_report_end(file->dwfl, NULL, NULL);
	if (file->handle != NULL &&
	    dwfl_module_getelf(file->handle, &file->bias) != NULL &&
	    fits(search, file->handle, name))
		return true;
	dwfl_end(file->dwfl);
	file->dwfl = NULL;
	file->handle = NULL;
	return false;
}

/* Takes @name. */
static bool try_file(struct search *search, char *name)
{
	bool good = try_descriptor(search, name, ftsan_open_regular(name));

	free(name);
	return good;
}

/* @directory/.build-id/xx/yyy, with the symbols of a stripped file or without. */
static bool try_build_id(struct search *search, const char *directory)
{
	const char *id = search->build_id;

	if (id == NULL || strlen(id) < 3 || strchr(id, '/') != NULL)
		return false;
	return try_file(search, ftsan_xprintf("%s/.build-id/%.2s/%s.debug", directory, id,
					      id + 2)) ||
	       try_file(search,
			ftsan_xprintf("%s/.build-id/%.2s/%s", directory, id, id + 2));
}

static bool try_directory(struct search *search, const char *directory)
{
	const char *base = strrchr(search->path, '/') + 1;

	return try_build_id(search, directory) ||
	       try_file(search, ftsan_xprintf("%s%s", directory, search->path)) ||
	       try_file(search, ftsan_xprintf("%s%s.debug", directory, search->path)) ||
	       try_file(search, ftsan_xprintf("%s/%s", directory, base)) ||
	       try_file(search, ftsan_xprintf("%s/%s.debug", directory, base));
}

/* libdebuginfod is opened only when it is wanted: it brings a whole web client along. */
static bool try_debuginfod(struct search *search)
{
	typedef void *begin(void);
	typedef int find(void *, const unsigned char *, int, char **);
	typedef void end(void *);
	void *library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
	void *symbols[3] = {NULL, NULL, NULL};
	void *client;
	int fd = -1;

	if (search->build_id == NULL || library == NULL)
		return false;
	symbols[0] = dlsym(library, "debuginfod_begin");
	symbols[1] = dlsym(library, "debuginfod_find_debuginfo");
	symbols[2] = dlsym(library, "debuginfod_end");
	if (symbols[0] == NULL || symbols[1] == NULL || symbols[2] == NULL)
		return false;
	client = ((begin *)symbols[0])();
	if (client == NULL)
		return false;
	/* A length of 0 says that the id is a string. */
	fd = ((find *)symbols[1])(client, (const unsigned char *)search->build_id, 0,
				  NULL);
	((end *)symbols[2])(client);
	return try_descriptor(search, search->path, fd);
}

static bool find_file(struct search *search)
{
	const struct ftsan_symbolizer_options *options = search->options;
	const char *sysroot = options->sysroot != NULL ? options->sysroot : "";
	char *debug;
	bool found;

	if (try_file(search, ftsan_xprintf("%s%s", sysroot, search->path)))
		return true;
	for (size_t i = 0; i < options->n_debug_dirs; i++)
		if (try_directory(search, options->debug_dirs[i]))
			return true;
	debug = ftsan_xprintf("%s/usr/lib/debug", sysroot);
	found = try_build_id(search, debug);
	free(debug);
	return found || (options->debuginfod && try_debuginfod(search));
}

void ftsan_symbol_file_open(struct ftsan_symbol_file *file,
			    const Dwfl_Callbacks *callbacks,
			    const struct ftsan_symbolizer_options *options,
			    const char *path, const char *build_id)
{
	struct search search = {
		.file = file,
		.callbacks = callbacks,
		.options = options,
		.path = path,
		.build_id = build_id,
	};

	memset(file, 0, sizeof(*file));
	if (find_file(&search)) {
		free(file->stale);
		file->stale = NULL;
	}
}

void ftsan_symbol_file_close(struct ftsan_symbol_file *file)
{
	dwfl_end(file->dwfl);
	free(file->stale);
	memset(file, 0, sizeof(*file));
}
