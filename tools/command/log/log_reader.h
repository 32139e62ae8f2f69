/*
 * One line of the log (docs/log.md) into a struct. The line is foreign data: a field of
 * the wrong type counts as absent, a record without what makes it one is refused.
 */
#ifndef FTSAN_TOOLS_LOG_READER_H
#define FTSAN_TOOLS_LOG_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "log/read_finding.h"

enum ftsan_record_type {
	FTSAN_RECORD_NONE, /* also: a type that this version does not know */
	FTSAN_RECORD_PROCESS,
	FTSAN_RECORD_MODULE,
	FTSAN_RECORD_THREAD,
	FTSAN_RECORD_ENGINE,
	FTSAN_RECORD_FINDING,
	FTSAN_RECORD_COVERAGE,
	FTSAN_RECORD_END,
	FTSAN_RECORD_CHILD,
	FTSAN_RECORD_RUNNING,
	FTSAN_RECORD_TEST,
};

/* Strings are NULL when the log does not say. */
struct ftsan_process_record {
	int pid;
	const char *run;
	const char *exe;
	const char *python;
	const char *gil;
	const char *version; /* of ftsan */
	const char *refused; /* why its layouts are not known */
	json_t *argv;	     /* list or NULL */
	double time;	     /* 0: unknown */
	bool free_threaded;
	bool root;
	bool attached; /* it ran already */
	bool python_known;
	bool latent; /* mode=latent, mode=all */
};

struct ftsan_module_record {
	const char *path;
	const char *build_id;
};

/* @canary_known: the record says whether the canary was caught. */
struct ftsan_engine_record {
	const char *name;
	bool active;
	const char *reason;
	const char *detail;
	bool canary_known;
	bool canary;
};

struct ftsan_coverage_record {
	const char *gil;
	json_t *gil_requested_by; /* list or NULL */
	json_t *left_out;	  /* object or NULL */
};

/* @findings: -1 when the record does not say. @duplicates: object or NULL. */
struct ftsan_end_record {
	const char *reason;
	int status; /* -1: not said */
	json_int_t findings;
	json_t *duplicates;
};

/* A child of the process died of @signal. */
struct ftsan_child_record {
	int pid, signal;
};

/*
 * What the pytest plugin writes: the tests that run now, and those that a finding belongs
 * to. @tests: list or NULL. @suppressed: the line that matched, NULL when none did.
 */
struct ftsan_tests_record {
	const char *fingerprint;
	const char *suppressed;
	json_t *tests;
};

/**
 * struct ftsan_record - one line
 * @json: owns every string that the record points to
 *
 * All-zero is a record with nothing in it.
 */
struct ftsan_record {
	enum ftsan_record_type type;
	json_t *json;
	union {
		struct ftsan_process_record process;
		struct ftsan_module_record module;
		struct ftsan_engine_record engine;
		struct ftsan_coverage_record coverage;
		struct ftsan_end_record end;
		struct ftsan_child_record child;
		struct ftsan_finding_record finding;
		struct ftsan_tests_record tests; /* RUNNING and TEST */
	};
};

/**
 * ftsan_record_parse() - read one line
 * @record: overwritten; needs ftsan_record_clear() when this returns 0
 * @line:   @length bytes without the newline; need not be text at all
 *
 * Return: 0, also for a type that is not known; -EBADMSG when the line is no record;
 *         -ENOTSUP when it is one of a later version of the format.
 */
int ftsan_record_parse(struct ftsan_record *record, const char *line, size_t length);
void ftsan_record_clear(struct ftsan_record *record);

#endif
