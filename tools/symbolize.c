#include "symbolize.h"

#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "demangle.h"
#include "xmemory.h"

/**
 * struct module - one file that frames were looked up in
 * @handle: NULL when the file could not be opened as ELF
 * @bias:   what libdwfl adds to the file's own addresses
 * @stale:  its build id is not the one that ran
 */
struct module {
	char *path;
	Dwfl *dwfl;
	Dwfl_Module *handle;
	GElf_Addr bias;
	bool stale;
};

/* @names: demangled ones, which frames point at. */
struct ftsan_symbolizer {
	struct module *modules;
	size_t n_modules, modules_capacity;
	char **names;
	size_t n_names, names_capacity;
	unsigned mismatches;
};

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

struct ftsan_symbolizer *ftsan_symbolizer_open(void)
{
	/*
	 * libdw would ask the debuginfod servers named here for every module without
	 * debug information, and findings would wait for the network.
	 */
	unsetenv("DEBUGINFOD_URLS");
	return ftsan_xcalloc(1, sizeof(struct ftsan_symbolizer));
}

void ftsan_symbolizer_close(struct ftsan_symbolizer *symbolizer)
{
	for (size_t i = 0; i < symbolizer->n_modules; i++) {
		dwfl_end(symbolizer->modules[i].dwfl);
		free(symbolizer->modules[i].path);
	}
	for (size_t i = 0; i < symbolizer->n_names; i++)
		free(symbolizer->names[i]);
	free(symbolizer->modules);
	free(symbolizer->names);
	free(symbolizer);
}

static bool build_id_differs(Dwfl_Module *handle, const char *expected)
{
	const unsigned char *bytes = NULL;
	GElf_Addr address;
	int length = dwfl_module_build_id(handle, &bytes, &address);
	char hex[2];

	if (length <= 0 || strlen(expected) != (size_t)length * 2)
		return true;
	for (size_t i = 0; i < (size_t)length; i++) {
		hex[0] = "0123456789abcdef"[bytes[i] >> 4];
		hex[1] = "0123456789abcdef"[bytes[i] & 15];
		if (memcmp(hex, expected + 2 * i, 2) != 0)
			return true;
	}
	return false;
}

/* The path comes from a log: a pipe or device that it names could keep us for ever. */
static int open_regular(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd >= 0 && (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void open_module(struct module *module, const char *build_id)
{
	int fd = open_regular(module->path);

	if (fd < 0)
		return;
	module->dwfl = dwfl_begin(&callbacks);
	if (module->dwfl == NULL) {
		close(fd);
		return;
	}
	module->handle =
		dwfl_report_offline(module->dwfl, module->path, module->path, fd);
	if (module->handle == NULL)
		close(fd);
	dwfl_report_end(module->dwfl, NULL, NULL);
	if (module->handle == NULL)
		return;
	if (dwfl_module_getelf(module->handle, &module->bias) == NULL)
		module->handle = NULL;
	else if (build_id != NULL)
		module->stale = build_id_differs(module->handle, build_id);
}

static struct module *get_module(struct ftsan_symbolizer *symbolizer, const char *path,
				 const char *build_id)
{
	struct module *module;

	for (size_t i = 0; i < symbolizer->n_modules; i++)
		if (strcmp(symbolizer->modules[i].path, path) == 0)
			return &symbolizer->modules[i];
	symbolizer->modules = ftsan_xgrow(symbolizer->modules, symbolizer->n_modules,
					  &symbolizer->modules_capacity, sizeof(*module));
	module = &symbolizer->modules[symbolizer->n_modules++];
	memset(module, 0, sizeof(*module));
	module->path = ftsan_xstrdup(path);
	open_module(module, build_id);
	if (module->stale)
		symbolizer->mismatches++;
	return module;
}

static void look_up(const struct module *module, struct ftsan_view_frame *frame,
		    bool exact)
{
	GElf_Addr address = frame->offset + module->bias - (exact ? 0 : 1);
	const char *function = NULL, *file;
	Dwfl_Line *line;
	int number;

	if (frame->function == NULL || frame->function[0] == '\0')
		function = dwfl_module_addrname(module->handle, address);
	if (function != NULL)
		frame->function = function;
	if (frame->file != NULL && frame->file[0] != '\0')
		return;
	line = dwfl_module_getsrc(module->handle, address);
	file = line != NULL ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
	if (file == NULL)
		return;
	frame->file = file;
	frame->line = number;
}

static void demangle(struct ftsan_symbolizer *symbolizer, struct ftsan_view_frame *frame)
{
	char *name = frame->function != NULL ? ftsan_demangle(frame->function) : NULL;

	if (name == NULL)
		return;
	symbolizer->names = ftsan_xgrow(symbolizer->names, symbolizer->n_names,
					&symbolizer->names_capacity, sizeof(name));
	symbolizer->names[symbolizer->n_names++] = name;
	frame->function = name;
}

void ftsan_symbolize(struct ftsan_symbolizer *symbolizer, struct ftsan_view_frame *frame,
		     const char *build_id, bool exact)
{
	const struct module *module;

	if (frame->python)
		return;
	if (frame->module != NULL && frame->module[0] == '/') {
		module = get_module(symbolizer, frame->module, build_id);
		if (module->handle != NULL && !module->stale)
			look_up(module, frame, exact);
	}
	demangle(symbolizer, frame);
}

unsigned ftsan_symbolizer_mismatches(const struct ftsan_symbolizer *symbolizer)
{
	return symbolizer->mismatches;
}
