/* Members of a document that is written, and what one makes of another's. */
#ifndef FTSAN_TOOLS_JSON_SET_H
#define FTSAN_TOOLS_JSON_SET_H

#include <jansson.h>
#include <stdint.h>

#include "common/names.h"

/* NULL, an empty text, the address 0: no member. */
void ftsan_json_set_text(json_t *object, const char *name, const char *text);
void ftsan_json_set_number(json_t *object, const char *name, uint64_t number);
void ftsan_json_set_address(json_t *object, const char *name, uint64_t address);

/* The names as a list; as an object, with how often each. A new reference. */
json_t *ftsan_json_listed(const struct ftsan_names *names);
json_t *ftsan_json_counted(const struct ftsan_names *names);

/* The words of a list with blanks between; what is no text is "?". For free(). */
char *ftsan_json_words(const json_t *list);
/* The same as a shell takes it. */
char *ftsan_json_command(const json_t *list);

#endif
