#include "results/fold.h"

#include <string.h>

#include "base/base.h"
#include "common/common.h"

const char *ftsan_path_in_packages(const char *path)
{
	static const char *const roots[] = {"/site-packages/", "/dist-packages/"};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(roots); i++) {
		const char *root = strstr(path, roots[i]);

		if (root != NULL)
			return root + strlen(roots[i]);
	}
	return NULL;
}

static bool is_runner(const char *in_packages)
{
	static const char *const names[] = {"_pytest/",	 "pytest/",	"pluggy/",
					    "xdist/",	 "execnet/",	"pytest_",
					    "coverage/", "hypothesis/", "ftsan/"};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(names); i++)
		if (ftsan_str_begins(in_packages, names[i]))
			return true;
	return false;
}

/* "/usr/lib/python3.13/threading.py", "<frozen runpy>" */
static bool is_library(const char *file)
{
	const char *lib = strstr(file, "/lib/python3");

	return ftsan_str_begins(file, "<frozen") || lib != NULL;
}

static enum ftsan_owner python_owner(const char *file)
{
	const char *in_packages;

	if (file == NULL)
		return FTSAN_OWNER_CPYTHON;
	in_packages = ftsan_path_in_packages(file);
	if (in_packages != NULL)
		return is_runner(in_packages) ? FTSAN_OWNER_RUNNER : FTSAN_OWNER_PACKAGE;
	return is_library(file) ? FTSAN_OWNER_CPYTHON : FTSAN_OWNER_PROJECT;
}

/* What Cython puts between a method and its caller. */
static bool is_cythons(const char *function)
{
	static const char *const begins_with[] = {"__Pyx_CyFunction_", "__Pyx_PyObject_",
						  "__Pyx_PyVectorcall_"};

	for (size_t i = 0; function != NULL && i < FTSAN_ARRAY_LEN(begins_with); i++)
		if (ftsan_str_begins(function, begins_with[i]))
			return true;
	return false;
}

enum ftsan_owner ftsan_frame_owner(const struct ftsan_view_frame *frame)
{
	if (frame->python)
		return python_owner(frame->file);
	if (ftsan_view_is_libc(frame))
		return FTSAN_OWNER_LIBC;
	if (ftsan_view_is_interpreter(frame) || frame->module == NULL ||
	    strstr(frame->module, "/libftsan") != NULL ||
	    strstr(frame->module, "/libstdc++") != NULL || is_cythons(frame->function))
		return FTSAN_OWNER_CPYTHON;
	return ftsan_path_in_packages(frame->module) != NULL ? FTSAN_OWNER_PACKAGE
							     : FTSAN_OWNER_PROJECT;
}

static bool is_shown(enum ftsan_owner owner)
{
	return owner == FTSAN_OWNER_PROJECT || owner == FTSAN_OWNER_PACKAGE;
}

/* The innermost line of Python that is the user's own; n_frames: there is none. */
static unsigned own_line(const struct ftsan_view_stack *stack)
{
	for (unsigned i = 0; i < stack->n_frames; i++)
		if (stack->frames[i].python &&
		    ftsan_frame_owner(&stack->frames[i]) == FTSAN_OWNER_PROJECT)
			return i;
	return stack->n_frames;
}

/* The wrapper of a method around the method itself (Cython's), or a call of itself. */
static bool repeats(const struct ftsan_view_stack *stack, unsigned i)
{
	const struct ftsan_view_frame *frame = &stack->frames[i], *inner = frame - 1;

	return i > 0 && !frame->python && !inner->python && frame->function != NULL &&
	       inner->function != NULL && frame->module != NULL &&
	       inner->module != NULL && strcmp(frame->function, inner->function) == 0 &&
	       strcmp(frame->module, inner->module) == 0;
}

void ftsan_fold_stack(struct ftsan_fold *fold, const struct ftsan_view_stack *stack)
{
	unsigned own = own_line(stack);

	memset(fold, 0, sizeof(*fold));
	for (unsigned i = 0; i < stack->n_frames; i++) {
		enum ftsan_owner owner = ftsan_frame_owner(&stack->frames[i]);
		/* The last place is kept for the user's own line. */
		unsigned room = own > i && own < stack->n_frames ? FTSAN_FOLD_SHOWN - 1
								 : FTSAN_FOLD_SHOWN;

		if (is_shown(owner) && fold->n < room && !repeats(stack, i))
			fold->shown[fold->n++] = i;
		else
			fold->hidden[owner]++;
	}
	/* All of it is the interpreter's: its innermost frames are what there is. */
	for (unsigned i = 0; fold->n == 0 && i < stack->n_frames && i < 2; i++) {
		fold->hidden[ftsan_frame_owner(&stack->frames[i])]--;
		fold->shown[i] = i;
		if (i + 1 == stack->n_frames || i == 1)
			fold->n = i + 1;
	}
}

void ftsan_fold_write(FILE *out, const struct ftsan_fold *fold)
{
	static const char *const names[FTSAN_OWNERS] = {
		[FTSAN_OWNER_CPYTHON] = "CPython",
		[FTSAN_OWNER_RUNNER] = "pytest",
		[FTSAN_OWNER_PACKAGE] = "packages",
		[FTSAN_OWNER_PROJECT] = "yours",
	};
	unsigned hidden[FTSAN_OWNERS], sum = 0, kinds = 0, written = 0;

	memcpy(hidden, fold->hidden, sizeof(hidden));
	/* libc under the interpreter is nobody's business. */
	hidden[FTSAN_OWNER_CPYTHON] += hidden[FTSAN_OWNER_LIBC];
	hidden[FTSAN_OWNER_LIBC] = 0;
	for (unsigned i = 0; i < FTSAN_OWNERS; i++) {
		sum += hidden[i];
		kinds += hidden[i] > 0;
	}
	if (sum == 0)
		return;
	fprintf(out, "%u more %s", sum, ftsan_plural(sum, "frame", "frames"));
	for (int i = FTSAN_OWNERS - 1; i >= 0; i--) {
		if (hidden[i] == 0)
			continue;
		fputs(written == 0 ? " of " : written + 1 == kinds ? " and " : ", ", out);
		fputs(names[i], out);
		written++;
	}
}

const char *ftsan_short_path(const char *path, const char *directory)
{
	size_t length = directory != NULL ? strlen(directory) : 0;
	const char *in_packages = ftsan_path_in_packages(path);

	if (in_packages != NULL)
		return in_packages;
	if (length > 1 && strncmp(path, directory, length) == 0 && path[length] == '/')
		return path + length + 1;
	return path;
}
