#include "process/follow.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "runtime/runtime.h"

enum {
	/* Larger environments are left alone: they are built on the stack. */
	ENTRIES_MAX = 8192,
	PRELOAD_MAX = 4096,
};

#define PRELOAD "LD_PRELOAD="
static const char library_name[] = "libftsan.so";

/* What else a child needs to belong to the run; "NAME=value", NULL: was not set. */
static const char *const names[] = {"FTSAN_OPTIONS", "FTSAN_RUN_ID", "FTSAN_ROOT_PID"};
enum { NAMES = FTSAN_ARRAY_LEN(names) };

static char *entries[NAMES];
static char *library; /* as LD_PRELOAD named it; NULL: it did not */
static bool following;

/* The word of LD_PRELOAD that is this library; NULL: there is none. */
static const char *find_word(const char *list, size_t *length)
{
	while (*list != '\0') {
		const char *word = list, *name = list;

		for (; *list != '\0' && *list != ':' && *list != ' '; list++)
			if (*list == '/')
				name = list + 1;
		*length = (size_t)(list - word);
		if (list - name == sizeof(library_name) - 1 &&
		    memcmp(name, library_name, sizeof(library_name) - 1) == 0)
			return word;
		list += *list != '\0';
	}
	return NULL;
}

/* "NAME=value", for good: children may be started at any time. */
static char *entry_of(const char *name)
{
	const char *value = getenv(name);
	size_t length = strlen(name);
	char *entry = value ? malloc(length + strlen(value) + 2) : NULL;

	if (!entry)
		return NULL;
	memcpy(entry, name, length);
	entry[length] = '=';
	strcpy(entry + length + 1, value);
	return entry;
}

void ftsan_follow_start(bool follow)
{
	const char *list = getenv("LD_PRELOAD");
	size_t length = 0;
	const char *word = list ? find_word(list, &length) : NULL;

	following = follow;
	if (!word)
		return;
	library = strndup(word, length);
	for (unsigned i = 0; i < NAMES; i++)
		entries[i] = entry_of(names[i]);
}

static bool is_named(const char *entry, const char *name, size_t length)
{
	return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

static const char *value_of(char *const envp[], const char *name)
{
	size_t length = strlen(name);

	for (; envp && *envp; envp++)
		if (is_named(*envp, name, length))
			return *envp + length + 1;
	return NULL;
}

size_t ftsan_follow_room(const char *path, char *const envp[], size_t *text_bytes)
{
	const char *preload = value_of(envp, "LD_PRELOAD");
	size_t n = 0, length;

	if (!library || (preload && find_word(preload, &length)))
		return 0;
	while (envp && envp[n])
		n++;
	*text_bytes =
		sizeof(PRELOAD) + strlen(library) + 1 + (preload ? strlen(preload) : 0);
	if (following && n <= ENTRIES_MAX && *text_bytes <= PRELOAD_MAX)
		return n + NAMES + 2;
	ftsan_child_lost(path);
	return 0;
}

/* Ours first, then what the child was to have. */
static void put_preload(char *text, const char *others)
{
	text = stpcpy(stpcpy(text, PRELOAD), library);
	if (others && *others) {
		*text++ = ':';
		strcpy(text, others);
	}
}

void ftsan_follow_fill(char **to, char *text, char *const envp[])
{
	put_preload(text, value_of(envp, "LD_PRELOAD"));
	*to++ = text;
	for (unsigned i = 0; i < NAMES; i++)
		if (entries[i] && !value_of(envp, names[i]))
			*to++ = entries[i];
	for (; envp && *envp; envp++)
		if (!is_named(*envp, "LD_PRELOAD", sizeof(PRELOAD) - 2))
			*to++ = *envp;
	*to = NULL;
}
