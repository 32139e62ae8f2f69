/* Questions about strings that may be missing. Pure; async-signal-safe. */
#ifndef FTSAN_STR_H
#define FTSAN_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Is there anything in it? */
static inline bool ftsan_str_some(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static inline bool ftsan_str_equal(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

static inline bool ftsan_str_begins(const char *text, const char *with)
{
	return text != NULL && strncmp(text, with, strlen(with)) == 0;
}

static inline bool ftsan_str_begins_one(const char *text, const char *const *with,
					size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ftsan_str_begins(text, with[i]))
			return true;
	return false;
}

static inline bool ftsan_str_is_one(const char *text, const char *const *of, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ftsan_str_equal(text, of[i]))
			return true;
	return false;
}

#define FTSAN_STR_IS_ONE(text, of) ftsan_str_is_one(text, of, FTSAN_ARRAY_LEN(of))

/* What comes after the last slash; all of it where nothing does. */
static inline const char *ftsan_str_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL || slash[1] == '\0' ? path : slash + 1;
}

/* The first @length bytes of @from, as many as there is room for, and a NUL. */
static inline void ftsan_str_copy(char *to, size_t size, const char *from, size_t length)
{
	if (length >= size)
		length = size - 1;
	memcpy(to, from, length);
	to[length] = '\0';
}

/* FNV-1a, 64 bits: what a hash begins as, and a hash that goes on with @text. */
#define FTSAN_HASH_BEGIN 0xcbf29ce484222325ull

static inline uint64_t ftsan_hash_text(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
	return hash;
}

/* The same of one text among several: its end counts, too. */
static inline uint64_t ftsan_hash_field(uint64_t hash, const char *text)
{
	return (ftsan_hash_text(hash, text) ^ 0xff) * 0x100000001b3ull;
}

/* Of words, which differ in few bits. */
static inline uint64_t ftsan_hash_word(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

#endif
