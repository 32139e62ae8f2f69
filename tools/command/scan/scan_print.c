#include <stdlib.h>
#include <string.h>

#include "common/common.h"
#include "scan/scanned.h"

/* Their names only; what they are is told once, at the end. */
static void print_names(FILE *out, const char *component, const char *version)
{
	const struct ftsan_hazard *hazard = NULL;
	const char *before = "  HAZARD ";

	while ((hazard = ftsan_hazard_next(hazard, component, version)) != NULL) {
		fprintf(out, "%s%s", before, hazard->issue);
		before = ", ";
	}
	fputc('\n', out);
}

static void print_numpy(FILE *out, const struct ftsan_scan_note *numpy)
{
	fputs("numpy ", out);
	ftsan_put_text(out, numpy->text);
	if (ftsan_version_compare(numpy->text, FTSAN_NUMPY_OLDEST) < 0)
		fputs(" (not watched: before " FTSAN_NUMPY_OLDEST ")", out);
	fputs("  ", out);
	ftsan_put_text(out, numpy->path);
	print_names(out, "numpy", numpy->text);
}

static void print_module(FILE *out, const struct ftsan_scanned *module)
{
	const char *unhookable = ftsan_scanned_unhookable(module);

	ftsan_put_text(out, module->path);
	fprintf(out, "  %s", module->abi[0] != '\0' ? module->abi : "(no ABI tag)");
	if (module->facts.cython[0] != '\0')
		fprintf(out, ", Cython %s", module->facts.cython);
	if (unhookable != NULL)
		fprintf(out,
			module->facts.native ? ", statics and sampler only (%s)"
					     : ", not watched (%s)",
			unhookable);
	print_names(out, "cython", ftsan_scanned_cython(module));
}

/* The modules, or the NumPys, that have it. */
static size_t count_of(const struct ftsan_scan *scan, const struct ftsan_hazard *hazard)
{
	size_t n = 0;

	for (size_t i = 0; i < scan->numpy.n; i++)
		n += ftsan_hazard_is_in(hazard, "numpy", scan->numpy.list[i].text);
	for (size_t i = 0; i < scan->n_modules; i++)
		n += ftsan_hazard_is_in(hazard, "cython",
					ftsan_scanned_cython(&scan->modules[i]));
	return n;
}

static void print_legend(FILE *out, const struct ftsan_scan *scan)
{
	const struct ftsan_hazard *hazard = NULL;

	while ((hazard = ftsan_hazard_next(hazard, NULL, NULL)) != NULL) {
		size_t n = count_of(scan, hazard);

		if (n == 0)
			continue;
		fprintf(out, "%s (%zu %s): %s; ", hazard->issue, n,
			ftsan_plural(n, "place", "places"), hazard->text);
		if (hazard->fixed != NULL)
			fprintf(out, "fixed in %s %s\n", hazard->component,
				hazard->fixed);
		else
			fprintf(out, "no %s has it fixed so far\n", hazard->component);
	}
}

static void print_sum(FILE *out, const struct ftsan_scan *scan)
{
	size_t free_threaded = 0, hookable = 0, mended = 0;
	size_t hazards = ftsan_scan_hazards(scan, &mended);

	for (size_t i = 0; i < scan->n_modules; i++) {
		free_threaded += ftsan_scanned_is_free_threaded(&scan->modules[i]);
		hookable += ftsan_scanned_unhookable(&scan->modules[i]) == NULL;
	}
	fprintf(out,
		"ftsan: %zu extension %s, %zu for free-threaded interpreters, %zu with "
		"arrays or code caches to guard; %zu other shared %s\n",
		scan->n_modules, ftsan_plural(scan->n_modules, "module", "modules"),
		free_threaded, hookable, scan->others,
		ftsan_plural(scan->others, "object", "objects"));
	if (scan->problems.n > 0)
		fprintf(out, "ftsan: %zu %s could not be looked at\n", scan->problems.n,
			ftsan_plural(scan->problems.n, "place", "places"));
	fprintf(out, "ftsan: %zu known %s", hazards,
		ftsan_plural(hazards, "hazard", "hazards"));
	if (hazards > 0)
		fprintf(out, ", %zu fixed in a newer version", mended);
	fputc('\n', out);
	if (scan->n_modules > 0)
		fputs("ftsan: what they write to statics, and under which locks, shows "
		      "`ftsan audit -- CMD`\n",
		      out);
}

void ftsan_scan_print(FILE *out, const struct ftsan_scan *scan)
{
	for (size_t i = 0; i < scan->numpy.n; i++)
		print_numpy(out, &scan->numpy.list[i]);
	for (size_t i = 0; i < scan->n_modules; i++)
		print_module(out, &scan->modules[i]);
	for (size_t i = 0; i < scan->problems.n; i++) {
		ftsan_put_text(out, scan->problems.list[i].path);
		fputs("  NOT LOOKED AT: ", out);
		ftsan_put_text(out, scan->problems.list[i].text);
		fputc('\n', out);
	}
	print_legend(out, scan);
	print_sum(out, scan);
}

/* JSON is UTF-8, and a path need not be: other bytes become '?'. */
static json_t *path_json(const char *path)
{
	json_t *text = json_string(path);
	char *copy;

	if (text != NULL)
		return text;
	copy = strdup(path);
	for (char *at = copy; at != NULL && *at != '\0'; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	text = json_string(copy != NULL ? copy : "");
	free(copy);
	return text;
}

static json_t *text_or_null(const char *text)
{
	return text != NULL && text[0] != '\0' ? path_json(text) : json_null();
}

static json_t *module_json(const struct ftsan_scanned *module)
{
	const char *unhookable = ftsan_scanned_unhookable(module);

	return json_pack("{s:o, s:o, s:b, s:o, s:b, s:o, s:b, s:o}", "path",
			 path_json(module->path), "abi", text_or_null(module->abi),
			 "free_threaded", ftsan_scanned_is_free_threaded(module),
			 "cython", text_or_null(module->facts.cython), "hookable",
			 unhookable == NULL, "reason", text_or_null(unhookable),
			 "imports_frame_new", module->facts.frame_new, "hazards",
			 ftsan_hazards_json("cython", ftsan_scanned_cython(module)));
}

static json_t *numpy_json(const struct ftsan_scan_note *numpy)
{
	return json_pack("{s:o, s:o, s:b, s:o}", "path", path_json(numpy->path),
			 "version", path_json(numpy->text), "supported",
			 ftsan_version_compare(numpy->text, FTSAN_NUMPY_OLDEST) >= 0,
			 "hazards", ftsan_hazards_json("numpy", numpy->text));
}

json_t *ftsan_scan_json(const struct ftsan_scan *scan)
{
	json_t *numpy = json_array(), *modules = json_array(), *problems = json_array();
	size_t hazards, mended;

	for (size_t i = 0; i < scan->numpy.n; i++)
		json_array_append_new(numpy, numpy_json(&scan->numpy.list[i]));
	for (size_t i = 0; i < scan->n_modules; i++)
		json_array_append_new(modules, module_json(&scan->modules[i]));
	for (size_t i = 0; i < scan->problems.n; i++)
		json_array_append_new(problems,
				      json_pack("{s:o, s:o}", "path",
						path_json(scan->problems.list[i].path),
						"reason",
						path_json(scan->problems.list[i].text)));
	hazards = ftsan_scan_hazards(scan, &mended);
	return json_pack("{s:i, s:o, s:o, s:o, s:I, s:I, s:I}", "v", 1, "numpy", numpy,
			 "modules", modules, "problems", problems, "other_objects",
			 (json_int_t)scan->others, "hazards", (json_int_t)hazards,
			 "hazards_fixed", (json_int_t)mended);
}
