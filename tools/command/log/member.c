#include "log/member.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

const char *ftsan_member_string(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

const char *ftsan_member_text(const json_t *object, const char *name)
{
	const char *text = ftsan_member_string(object, name);

	return text != NULL ? text : "";
}

bool ftsan_member_bool(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

bool ftsan_member_integer(const json_t *object, const char *name, json_int_t *value)
{
	const json_t *member = json_object_get(object, name);

	if (!json_is_integer(member))
		return false;
	*value = json_integer_value(member);
	return true;
}

uint64_t ftsan_member_count(const json_t *object, const char *name)
{
	json_int_t value;

	return ftsan_member_integer(object, name, &value) && value > 0 ? (uint64_t)value
								       : 0;
}

int ftsan_member_int(const json_t *object, const char *name, int min, int otherwise)
{
	json_int_t value;

	if (!ftsan_member_integer(object, name, &value) || value < min || value > INT_MAX)
		return otherwise;
	return (int)value;
}

uint64_t ftsan_member_address(const json_t *object, const char *name)
{
	const char *text = ftsan_member_string(object, name);
	unsigned long long value;
	char *end;

	if (text == NULL || text[0] != '0' || text[1] != 'x')
		return 0;
	errno = 0;
	value = strtoull(text, &end, 16);
	return errno == 0 && *end == '\0' ? value : 0;
}

json_t *ftsan_member_list(const json_t *object, const char *name)
{
	json_t *member = json_object_get(object, name);

	return json_is_array(member) ? member : NULL;
}

json_t *ftsan_member_object(const json_t *object, const char *name)
{
	json_t *member = json_object_get(object, name);

	return json_is_object(member) ? member : NULL;
}
