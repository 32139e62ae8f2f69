#include <string.h>

#include "base/base.h"
#include "view/view.h"

static const char *after_prefix(const char *name)
{
	static const char *const prefixes[] = {"__pyx_pw_", "__pyx_pf_", "__pyx_f_"};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(prefixes); i++) {
		size_t length = strlen(prefixes[i]);

		if (strncmp(name, prefixes[i], length) == 0)
			return name + length;
	}
	return NULL;
}

/* "4Mean_add": 4 characters, and a '_' with more behind it. 0: it is no such part. */
static size_t part_length(const char *at, size_t rest, const char **part)
{
	size_t digits = 0, length = 0;

	while (digits < rest && digits < 4 && at[digits] >= '0' && at[digits] <= '9')
		length = length * 10 + (size_t)(at[digits++] - '0');
	if (length == 0 || digits + length + 1 >= rest || at[digits + length] != '_')
		return 0;
	*part = at + digits;
	return length;
}

bool ftsan_view_cython_name(const char *name, char *to, size_t capacity_bytes)
{
	const char *at = after_prefix(name), *part, *end;
	struct ftsan_buf out;
	size_t length;

	if (at == NULL)
		return false;
	end = at + strcspn(at, ".@");
	if (part_length(at, (size_t)(end - at), &part) == 0)
		return false;
	ftsan_buf_init(&out, to, capacity_bytes);
	while ((length = part_length(at, (size_t)(end - at), &part)) > 0) {
		ftsan_buf_bytes(&out, part, length);
		ftsan_buf_char(&out, '.');
		at = part + length + 1;
	}
	while (at + 1 < end && *at >= '0' && *at <= '9')
		at++;
	ftsan_buf_bytes(&out, at, (size_t)(end - at));
	(void)ftsan_buf_cstr(&out);
	return true;
}
