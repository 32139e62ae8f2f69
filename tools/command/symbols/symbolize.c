#include "symbols/symbolize.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "symbols/cython.h"
#include "symbols/demangle.h"
#include "symbols/symbolize_file.h"
#include "symbols/variable.h"

/**
 * struct ftsan_symbolizer - what was looked up
 * @callbacks:   with @debug_path, libdwfl's list of directories for separate debug files
 * @module_keys: path and build id; numbers as in @modules
 * @chain_keys:  every address that was asked for; numbers as in @chains
 * @strings:     what frames point at
 */
struct ftsan_symbolizer {
	struct ftsan_symbolizer_options options;
	Dwfl_Callbacks callbacks;
	char *debug_path;
	struct ftsan_names module_keys;
	struct ftsan_symbol_file *modules;
	size_t modules_capacity;
	struct ftsan_names chain_keys;
	struct ftsan_chain *chains;
	size_t chains_capacity;
	struct ftsan_names strings;
};

/* ":.debug:/usr/lib/debug" is libdwfl's own; a leading ':' keeps its check of the CRC. */
static char *make_debug_path(const struct ftsan_symbolizer_options *options)
{
	const char *sysroot = options->sysroot != NULL ? options->sysroot : "";
	char *path = ftsan_xprintf(":.debug:%s/usr/lib/debug", sysroot);

	for (size_t i = 0; i < options->n_debug_dirs; i++) {
		char *longer = ftsan_xprintf("%s:%s", path, options->debug_dirs[i]);

		free(path);
		path = longer;
	}
	return path;
}

struct ftsan_symbolizer *
ftsan_symbolizer_open(const struct ftsan_symbolizer_options *options)
{
	struct ftsan_symbolizer *symbolizer = ftsan_xcalloc(1, sizeof(*symbolizer));

	symbolizer->options = *options;
	/* libdw asks the servers named here for every module without debug information.
	 */
	if (!options->debuginfod)
		unsetenv("DEBUGINFOD_URLS");
	symbolizer->debug_path = make_debug_path(options);
	symbolizer->callbacks = (Dwfl_Callbacks){
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
		.debuginfo_path = &symbolizer->debug_path,
	};
	return symbolizer;
}

void ftsan_symbolizer_close(struct ftsan_symbolizer *symbolizer)
{
	for (size_t i = 0; i < symbolizer->module_keys.n; i++)
		ftsan_symbol_file_close(&symbolizer->modules[i]);
	for (size_t i = 0; i < symbolizer->chain_keys.n; i++)
		free(symbolizer->chains[i].frames);
	free(symbolizer->modules);
	free(symbolizer->chains);
	free(symbolizer->debug_path);
	ftsan_names_release(&symbolizer->module_keys);
	ftsan_names_release(&symbolizer->chain_keys);
	ftsan_names_release(&symbolizer->strings);
	free(symbolizer);
}

static const char *keep_string(struct ftsan_symbolizer *symbolizer, const char *text)
{
	char *clean;
	size_t number;

	if (text == NULL || text[0] == '\0')
		return NULL;
	/* An ELF file may hold any bytes as a name. */
	clean = ftsan_clean_text(text);
	number = ftsan_names_add(&symbolizer->strings, clean, 1);
	free(clean);
	return symbolizer->strings.texts[number];
}

static const char *keep_name(struct ftsan_symbolizer *symbolizer, const char *name)
{
	char cython[FTSAN_SHORT_NAME];
	char *demangled = name != NULL ? ftsan_demangle(name) : NULL;
	const char *kept;

	if (name != NULL && ftsan_view_cython_name(name, cython, sizeof(cython)))
		name = cython;
	kept = keep_string(symbolizer, demangled != NULL ? demangled : name);

	free(demangled);
	return kept;
}

static struct ftsan_symbol_file *get_module(struct ftsan_symbolizer *symbolizer,
					    const char *path, const char *build_id)
{
	char *key = ftsan_xprintf("%s\n%s", path, build_id != NULL ? build_id : "");
	size_t known = symbolizer->module_keys.n;
	size_t number = ftsan_names_add(&symbolizer->module_keys, key, 1);

	free(key);
	if (number < known)
		return &symbolizer->modules[number];
	symbolizer->modules =
		ftsan_xgrow(symbolizer->modules, known, &symbolizer->modules_capacity,
			    sizeof(*symbolizer->modules));
	ftsan_symbol_file_open(&symbolizer->modules[number], &symbolizer->callbacks,
			       &symbolizer->options, path, build_id);
	return &symbolizer->modules[number];
}

/* A frame like @like, in front of those that the chain has. */
static struct ftsan_view_frame *append(struct ftsan_chain *chain, size_t *capacity,
				       const struct ftsan_view_frame *like)
{
	chain->frames =
		ftsan_xgrow(chain->frames, chain->n, capacity, sizeof(*chain->frames));
	chain->frames[chain->n] = *like;
	return &chain->frames[chain->n++];
}

static const char *name_of_die(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	const char *name = NULL;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) != NULL)
		name = dwarf_formstring(&attribute);
	if (name == NULL &&
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute) != NULL)
		name = dwarf_formstring(&attribute);
	return name != NULL ? name : dwarf_diename(die);
}

static int number_of_die(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value = 0;

	if (dwarf_formudata(dwarf_attr(die, name, &attribute), &value) != 0 ||
	    value > INT32_MAX)
		return 0;
	return (int)value;
}

/* A line of C that Cython made is a line of the .pyx file, where that is here. */
static void set_place(struct ftsan_symbolizer *symbolizer, struct ftsan_view_frame *place,
		      const char *file, int line)
{
	char *source = ftsan_cython_line(file, &line);

	place->file = keep_string(symbolizer, source != NULL ? source : file);
	place->line = line;
	free(source);
}

/* Where the inlined function @die was called: the place of the frame around it. */
static void set_call_place(struct ftsan_symbolizer *symbolizer,
			   struct ftsan_view_frame *place, Dwarf_Die *unit,
			   Dwarf_Die *die)
{
	Dwarf_Files *files;
	size_t n_files;
	int file = number_of_die(die, DW_AT_call_file);

	place->file = NULL;
	place->line = 0;
	if (file > 0 && dwarf_getsrcfiles(unit, &files, &n_files) == 0 &&
	    (size_t)file < n_files) {
		set_place(symbolizer, place,
			  dwarf_filesrc(files, (size_t)file, NULL, NULL),
			  number_of_die(die, DW_AT_call_line));
	}
}

/*
 * dwarf_getscopes() goes from an inlined function to the scopes of its definition;
 * the scopes around the place it was inlined to are those of the innermost entry itself.
 */
static int scopes_at(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die **scopes)
{
	Dwarf_Die *found = NULL, innermost;
	int n = dwarf_getscopes(unit, address, &found);

	*scopes = NULL;
	if (n > 0) {
		innermost = found[0];
		n = dwarf_getscopes_die(&innermost, scopes);
	}
	free(found);
	return n;
}

/*
 * Adds a frame for each function that was inlined at @address; @place is where the
 * address is and becomes where the outermost of them was called. Return: the name of the
 * function that holds the address, NULL when it is unknown.
 */
static const char *add_inlined(struct ftsan_symbolizer *symbolizer,
			       const struct ftsan_symbol_file *file, GElf_Addr address,
			       struct ftsan_view_frame *place, struct ftsan_chain *chain,
			       size_t *capacity)
{
	Dwarf_Addr bias = 0;
	Dwarf_Die *unit = dwfl_module_addrdie(file->handle, address, &bias);
	const char *function = NULL;
	Dwarf_Die *scopes = NULL;
	int n = unit != NULL ? scopes_at(unit, address - bias, &scopes) : 0;

	for (int i = 0; i < n && function == NULL; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag == DW_TAG_subprogram) {
			function = keep_name(symbolizer, name_of_die(&scopes[i]));
		} else if (tag == DW_TAG_inlined_subroutine) {
			append(chain, capacity, place)->function =
				keep_name(symbolizer, name_of_die(&scopes[i]));
			set_call_place(symbolizer, place, unit, &scopes[i]);
		}
	}
	free(scopes);
	return function;
}

static void set_line(struct ftsan_symbolizer *symbolizer,
		     const struct ftsan_symbol_file *file, GElf_Addr address,
		     struct ftsan_view_frame *place)
{
	Dwfl_Line *line = dwfl_module_getsrc(file->handle, address);
	int number = 0;
	const char *name = line != NULL
				   ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL)
				   : NULL;

	if (name == NULL)
		return;
	set_place(symbolizer, place, name, number);
}

static void look_up(struct ftsan_symbolizer *symbolizer,
		    const struct ftsan_symbol_file *file, struct ftsan_view_frame *frame,
		    struct ftsan_chain *chain, size_t *capacity, bool exact)
{
	GElf_Addr address = frame->offset + file->bias - (exact ? 0 : 1);
	const char *function = NULL;

	/* With a line of its own, the frame was symbolized by somebody who knew better.
	 */
	if (frame->file == NULL || frame->file[0] == '\0') {
		set_line(symbolizer, file, address, frame);
		function = add_inlined(symbolizer, file, address, frame, chain, capacity);
	}
	if (frame->function != NULL)
		return;
	if (function == NULL)
		function = keep_name(symbolizer,
				     dwfl_module_addrname(file->handle, address));
	frame->function = function;
}

static void fill_chain(struct ftsan_symbolizer *symbolizer, struct ftsan_chain *chain,
		       const struct ftsan_view_frame *frame, const char *build_id,
		       bool exact)
{
	struct ftsan_view_frame physical = *frame;
	const struct ftsan_symbol_file *file;
	size_t capacity = 0;

	memset(chain, 0, sizeof(*chain));
	physical.function = keep_name(symbolizer, frame->function);
	physical.module = keep_string(symbolizer, frame->module);
	physical.file = keep_string(symbolizer, frame->file);
	if (physical.module != NULL && physical.module[0] == '/') {
		file = get_module(symbolizer, physical.module, build_id);
		if (file->handle != NULL)
			look_up(symbolizer, file, &physical, chain, &capacity, exact);
	}
	append(chain, &capacity, &physical);
}

static const char *or_empty(const char *text)
{
	return text != NULL ? text : "";
}

const struct ftsan_chain *ftsan_symbolize(struct ftsan_symbolizer *symbolizer,
					  const struct ftsan_view_frame *frame,
					  const char *build_id, bool exact)
{
	char *key = ftsan_xprintf("%s\n%s\n%llx %d %d\n%s\n%s", or_empty(frame->module),
				  or_empty(build_id), (unsigned long long)frame->offset,
				  exact, (int)frame->line, or_empty(frame->function),
				  or_empty(frame->file));
	size_t known = symbolizer->chain_keys.n;
	size_t number = ftsan_names_add(&symbolizer->chain_keys, key, 1);

	free(key);
	if (number == known) {
		symbolizer->chains = ftsan_xgrow(symbolizer->chains, known,
						 &symbolizer->chains_capacity,
						 sizeof(*symbolizer->chains));
		fill_chain(symbolizer, &symbolizer->chains[number], frame, build_id,
			   exact);
	}
	return &symbolizer->chains[number];
}

bool ftsan_symbolize_static(struct ftsan_symbolizer *symbolizer, const char *module,
			    const char *build_id, uint64_t offset,
			    struct ftsan_static_name *name)
{
	const struct ftsan_symbol_file *file;
	struct ftsan_variable variable;

	if (module[0] != '/')
		return false;
	file = get_module(symbolizer, module, build_id);
	if (file->handle == NULL ||
	    !ftsan_variable_find(&variable, file->handle, offset + file->bias))
		return false;
	name->name = keep_name(symbolizer, variable.name);
	name->part =
		variable.part[0] != '\0' ? keep_string(symbolizer, variable.part) : "";
	ftsan_variable_release(&variable);
	return name->name != NULL;
}

unsigned ftsan_symbolizer_mismatches(const struct ftsan_symbolizer *symbolizer)
{
	unsigned count = 0;

	for (size_t i = 0; i < symbolizer->module_keys.n; i++)
		count += symbolizer->modules[i].stale != NULL;
	return count;
}

void ftsan_symbolizer_tell_mismatches(const struct ftsan_symbolizer *symbolizer,
				      void (*visit)(void *to, const char *sentence),
				      void *to)
{
	for (size_t i = 0; i < symbolizer->module_keys.n; i++)
		if (symbolizer->modules[i].stale != NULL)
			visit(to, symbolizer->modules[i].stale);
}
