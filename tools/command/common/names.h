/* A set of strings, each with a number: what the logs repeat is kept once. */
#ifndef FTSAN_TOOLS_NAMES_H
#define FTSAN_TOOLS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct ftsan_names - the set; all-zero is an empty one
 * @texts:  in the order they came, so that a number is an index; owned
 * @counts: how often each was added, for callers who want to know
 * @slots:  hash table of numbers plus one
 */
struct ftsan_names {
	char **texts;
	uint64_t *counts;
	size_t n, capacity, counts_capacity;
	size_t *slots;
	size_t n_slots;
};

enum { FTSAN_NO_NAME = -1 };

/* The number of @text, FTSAN_NO_NAME when it is not there. */
long ftsan_names_find(const struct ftsan_names *names, const char *text);

/* Adds @text if it is not there; its number. */
size_t ftsan_names_add(struct ftsan_names *names, const char *text, uint64_t count);

void ftsan_names_release(struct ftsan_names *names);

#endif
