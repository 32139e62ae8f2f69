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
 * Cython has a wrapper or two for each function that may be inlined or not, numbered by
 * their place in the module: __pyx_pw_4_mcp_3MCP_5find and __pyx_f_4_mcp_3MCP_find are one.
 */
void ftsan_lasting_function(char *to, size_t size, const char *name)
{
	if (ftsan_view_cython_name(name, to, size))
		return;
	ftsan_str_copy(to, size, name,
		       name[0] == '.' ? strlen(name) : strcspn(name, ".@"));
}
