/* Members of a record. One of the wrong type counts as absent: the line is foreign data.
 */
#ifndef FTSAN_TOOLS_MEMBER_H
#define FTSAN_TOOLS_MEMBER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* NULL, or false, when it is absent. @object may be anything. */
const char *ftsan_member_string(const json_t *object, const char *name);
bool ftsan_member_bool(const json_t *object, const char *name);
bool ftsan_member_integer(const json_t *object, const char *name, json_int_t *value);
json_t *ftsan_member_list(const json_t *object, const char *name);
json_t *ftsan_member_object(const json_t *object, const char *name);

/* "" when it is absent. */
const char *ftsan_member_text(const json_t *object, const char *name);

/* 0 when it is absent, or negative. */
uint64_t ftsan_member_count(const json_t *object, const char *name);

/* Within @min and INT_MAX, or @otherwise. */
int ftsan_member_int(const json_t *object, const char *name, int min, int otherwise);

/* Addresses and offsets are strings like "0x7f0a"; 0 when it is none. */
uint64_t ftsan_member_address(const json_t *object, const char *name);

#endif
