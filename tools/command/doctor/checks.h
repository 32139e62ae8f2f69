/* The results of `ftsan doctor`. */
#ifndef FTSAN_TOOLS_CHECKS_H
#define FTSAN_TOOLS_CHECKS_H

#include <stddef.h>
#include <stdio.h>

enum ftsan_health {
	FTSAN_HEALTH_OK,
	FTSAN_HEALTH_NOTE,     /* good to know; nothing is wrong */
	FTSAN_HEALTH_DEGRADED, /* works, but finds or tells less */
	FTSAN_HEALTH_UNUSABLE,
};

/* struct ftsan_check - @name, @detail: owned; @advice, what to do about it, may be NULL
 */
struct ftsan_check {
	char *name;
	enum ftsan_health health;
	char *detail;
	const char *advice;
};

struct ftsan_checks {
	struct ftsan_check *list;
	size_t n, capacity;
};

/**
 * ftsan_checks_add() - one more result
 * @name:   copied
 * @detail: malloc'ed; taken
 * @advice: a static string or NULL
 */
void ftsan_checks_add(struct ftsan_checks *checks, const char *name,
		      enum ftsan_health health, char *detail, const char *advice);
void ftsan_checks_release(struct ftsan_checks *checks);

/* The worst of all. */
enum ftsan_health ftsan_checks_health(const struct ftsan_checks *checks);

/* Of doctor_system.c: the kernel, the processor, libraries. */
void ftsan_check_system(struct ftsan_checks *checks);

/* Of doctor_python.c: @python, run under libftsan.so, and what is installed there. */
void ftsan_check_python(struct ftsan_checks *checks, const char *python);

#endif
