#include "sampler/choose.h"

#include <stdint.h>
#include <string.h>

#include "base/base.h"

struct part {
	const char *text;
	size_t length;
};

/* matches() - "*" stands for any characters, "?" for one. */
static bool matches(struct part pattern, struct part text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;

	while (t < text.length) {
		if (p < pattern.length && pattern.text[p] == '*') {
			star = p++;
			resume = t;
		} else if (p < pattern.length &&
			   (pattern.text[p] == '?' || pattern.text[p] == text.text[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.length && pattern.text[p] == '*')
		p++;
	return p == pattern.length;
}

static struct part whole(const char *text)
{
	return (struct part){text, strlen(text)};
}

static struct part base_name(const char *path)
{
	return whole(ftsan_str_base_name(path));
}

/* The folders of a path, and its file with and without what follows the first dot. */
static bool names(struct part pattern, const char *path)
{
	struct part base = base_name(path), stem = base;

	stem.length = strcspn(stem.text, ".");
	if (matches(pattern, base) || matches(pattern, stem))
		return true;
	while (*path != '\0') {
		struct part folder = {path, strcspn(path, "/")};

		if (path[folder.length] == '/' && matches(pattern, folder))
			return true;
		path += folder.length + (path[folder.length] == '/');
	}
	return false;
}

static bool is_one_of(const char *path, const char *const *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (matches(whole(patterns[i]), base_name(path)))
			return true;
	return false;
}

/* What handlers and hooks of ours run in, and what has no C of an extension's. */
static bool is_forbidden(const char *path)
{
	static const char *const patterns[] = {
		"libftsan*", "libunwind*", "libZydis*", "libZycore*", "libc.so*",
		"libc-2*", "ld-linux*", "libpthread*", "libm.so*", "linux-vdso*",
		"libdl.so*", "librt.so*",
		/* Its child works in memory of ours between fork and exec. */
		"_posixsubprocess*"};

	return path[0] != '/' || is_one_of(path, patterns, FTSAN_ARRAY_LEN(patterns));
}

bool ftsan_sample_is_runtime(const char *path)
{
	static const char *const patterns[] = {
		"*openblas*", "*libblas*", "*liblapack*", "libmkl*",  "libblis*",
		"*libgomp*",  "libomp*",   "libiomp*",	  "*libtbb*", "libgfortran*"};

	return is_one_of(path, patterns, FTSAN_ARRAY_LEN(patterns));
}

/* Data lies between the instructions of hand-written assembly. */
static bool is_assembly(const char *path)
{
	static const char *const patterns[] = {"libcrypto*",	"libssl*",  "*libgmp*",
					       "*libquadmath*", "libx264*", "libx265*",
					       "libdav1d*",	"libffi*",  "*libjpeg*"};

	return is_one_of(path, patterns, FTSAN_ARRAY_LEN(patterns)) ||
	       strstr(path, "/cryptography/") != NULL;
}

/* What the distribution keeps in its own folders is no extension but in Python's. */
static bool is_extension(const char *path)
{
	struct part base = base_name(path);
	size_t n = base.length;

	if (strstr(path, "/site-packages/") != NULL ||
	    strstr(path, "/dist-packages/") != NULL || ftsan_path_is_stdlib(path))
		return true;
	if (ftsan_str_begins(path, "/lib") || ftsan_str_begins(path, "/usr/"))
		return strstr(base.text, ".cpython-") != NULL;
	return n > 3 && strcmp(base.text + n - 3, ".so") == 0;
}

/* next() - false: the list has no more. The item is without its '-'; it may be empty. */
static bool next(const char **choice, struct part *one, bool *without)
{
	if (**choice == '\0')
		return false;
	*one = (struct part){*choice, strcspn(*choice, ",")};
	*choice += one->length + ((*choice)[one->length] == ',');
	*without = one->length > 0 && one->text[0] == '-';
	one->text += *without;
	one->length -= *without;
	return true;
}

bool ftsan_sample_asks_interpreter(const char *choice)
{
	static const char name[] = "cpython";
	struct part one;
	bool without;

	while (next(&choice, &one, &without))
		if (!without && one.length == sizeof(name) - 1 &&
		    memcmp(one.text, name, one.length) == 0)
			return true;
	return false;
}

bool ftsan_sample_chosen(const char *path, const char *choice, bool is_python)
{
	bool listed = false, named = false, without;
	struct part one;

	if (is_python || is_forbidden(path))
		return false;
	while (next(&choice, &one, &without)) {
		if (one.length == 0)
			continue;
		listed |= !without;
		if (!names(one, path))
			continue;
		if (without)
			return false;
		named = true;
	}
	if (listed)
		return named;
	return is_extension(path) && !ftsan_sample_is_runtime(path) && !is_assembly(path);
}
