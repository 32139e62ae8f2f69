#include "statics/choose.h"

#include <fnmatch.h>
#include <string.h>

#include "base/base.h"

static bool is_runtime(const char *name)
{
	static const char *const patterns[] = {
		"libopenblas*", "libscipy_openblas*", "libgomp*",   "libomp*",
		"libiomp*",	"libmkl_*",	      "libtbb*",    "libgfortran*",
		"libquadmath*", "libgcc_s*",	      "libstdc++*",
	};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(patterns); i++)
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	return false;
}

/* PEP 405 and Debian: .../site-packages/, .../dist-packages/. */
static const char *after_packages(const char *path)
{
	static const char mark[] = "-packages/";
	const char *at = NULL;

	for (const char *next = path; (next = strstr(next, mark)) != NULL; next++)
		at = next + sizeof(mark) - 1;
	return at;
}

static bool is_named(const char *choice, const char *name)
{
	char pattern[128];

	for (const char *at = choice; *at != '\0';) {
		size_t length = strcspn(at, ",:");

		if (length > 0 && length < sizeof(pattern)) {
			memcpy(pattern, at, length);
			pattern[length] = '\0';
			if (fnmatch(pattern, name, 0) == 0)
				return true;
		}
		at += length + (at[length] != '\0');
	}
	return false;
}

/* What a build gives extension modules for names (PEP 3149, and the stable ABI's): who
 * comes to a running process has not seen which of its files were imported. */
static bool is_extension_name(const char *name)
{
	return strstr(name, ".cpython-3") != NULL || strstr(name, ".abi3") != NULL;
}

bool ftsan_statics_wants(const char *choice, const char *path, bool extension)
{
	const char *name = ftsan_str_base_name(path);

	if (strcmp(choice, "off") == 0 || path[0] != '/')
		return false;
	if (strcmp(choice, "site") != 0 && strcmp(choice, "all") != 0)
		return is_named(choice, name);
	if (is_runtime(name))
		return false;
	if (strcmp(choice, "all") == 0)
		return true;
	/* Modules of the standard library belong to the interpreter. */
	if (ftsan_path_is_stdlib(path))
		return false;
	return extension || is_extension_name(name) || after_packages(path) != NULL ||
	       strstr(path, ".libs/") != NULL;
}

void ftsan_statics_package(const char *path, char *out, size_t capacity_bytes)
{
	const char *package = after_packages(path);
	size_t length;
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, out, capacity_bytes);
	if (package == NULL) {
		ftsan_buf_bytes(&buf, path, (size_t)(ftsan_str_base_name(path) - path));
		(void)ftsan_buf_cstr(&buf);
		return;
	}
	length = strcspn(package, "/");
	ftsan_buf_str(&buf, "-packages/");
	if (package[length] != '/') {
		/* A module without a package: its own file, or one of the same name. */
		ftsan_buf_bytes(&buf, package, strcspn(package, "."));
	} else {
		if (length > 5 && strncmp(package + length - 5, ".libs", 5) == 0)
			length -= 5;
		ftsan_buf_bytes(&buf, package, length);
		ftsan_buf_char(&buf, '/');
	}
	(void)ftsan_buf_cstr(&buf);
}
