#include "view/view.h"

#include "base/base.h"

static bool is_hash(const char *text, size_t length)
{
	return length == 8 && strspn(text, "0123456789abcdef") >= 8;
}

void ftsan_lasting_module(char *to, size_t size, const char *path)
{
	const char *name = ftsan_str_base_name(path);
	size_t length;

	if (ftsan_str_begins(name, "libpython3"))
		name += strlen("lib");
	length = strcspn(name, ".");
	if (length > 9 && name[length - 9] == '-' && is_hash(name + length - 8, 8))
		length -= 9;
	ftsan_str_copy(to, size, name, length);
}

/*
 * Cython numbers functions by their place in the module, and has a wrapper for each that
 * may be inlined or not: __pyx_pw_4_mcp_3MCP_5find and __pyx_pf_4_mcp_3MCP_4find are one.
 */
static void name_cython(char *to, size_t size, const char *name, size_t length)
{
	size_t n = 0, at = strlen("__pyx_p?_");

	for (const char *prefix = "__pyx_"; *prefix != '\0'; prefix++)
		to[n++] = *prefix;
	at += strspn(name + at, "0123456789");
	while (at < length && n + 1 < size) {
		to[n++] = name[at];
		if (name[at++] == '_')
			at += strspn(name + at, "0123456789");
	}
	to[n] = '\0';
}

void ftsan_lasting_function(char *to, size_t size, const char *name)
{
	size_t length = name[0] == '.' ? strlen(name) : strcspn(name, ".@");

	if (ftsan_str_begins(name, "__pyx_pw_") || ftsan_str_begins(name, "__pyx_pf_"))
		name_cython(to, size, name, length);
	else
		ftsan_str_copy(to, size, name, length);
}
