/*
 * What the records of statics (docs/log.md) add up to: an entry for each static and each
 * function that writes it. Several words of a static, several instructions of the
 * function and several processes are one entry, which is what its worst word is.
 */
#ifndef FTSAN_TOOLS_AUDIT_INVENTORY_H
#define FTSAN_TOOLS_AUDIT_INVENTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/classes.h"
#include "audit/place.h"
#include "common/common.h"

enum ftsan_audit_news {
	FTSAN_AUDIT_UNKNOWN, /* there is no baseline */
	FTSAN_AUDIT_SAME,
	FTSAN_AUDIT_NEW,
	FTSAN_AUDIT_CHANGED,
	FTSAN_AUDIT_GONE,
};

/**
 * struct ftsan_audit_module - a file whose static pages were sealed; strings are owned
 * @name:     what outlasts a rebuild
 * @build_id: "" when the log gives none
 * @pages, @lock_pages: of the process that had most; the latter hold locks of libc
 * @stores:   that trapped, in all processes
 * @permille: of the time that its pages were sealed, summed over @processes
 * @asks_for_gil: it does not claim to do without the GIL
 */
struct ftsan_audit_module {
	char *path, *name, *build_id;
	uint64_t pages, lock_pages, stores, permille, processes;
	bool asks_for_gil;
};

/**
 * struct ftsan_audit_entry - a static, and a function that writes it; strings are owned
 * @id:       16 hex digits, the same in every run and after a rebuild
 * @module:   number of the module that has the static
 * @name:     "" in a file without symbols, where all such words of a writer are one entry
 * @writer:   function, or "NAME.so+0x123" where it has no name
 * @writer_module: the name of the writer's module, that outlasts a rebuild
 * @file, @line: where it stores, NULL and 0 when that is not known
 * @offset:   of the lowest word, in the module's own addresses
 * @words:    by their offsets
 * @grade, @class: of the worst word
 * @classes:  of all instructions and words
 * @stores:   how often the function stored
 * @locks:    that were held at every store to a word
 * @tests:    in which it was seen to store, some of them
 * @callers:  functions that called the writer
 * @detached: a thread had let the interpreter go
 * @several:  threads
 * @news, @old_class, @old_grade: against the baseline; NULL without one
 */
struct ftsan_audit_entry {
	char id[17];
	size_t module;
	char *name, *writer, *writer_module, *file;
	int line;
	uint64_t offset;
	struct ftsan_names words;
	enum ftsan_audit_grade grade;
	char *class;
	struct ftsan_names classes;
	uint64_t stores;
	struct ftsan_names locks, tests, callers;
	bool detached, several;
	enum ftsan_audit_news news;
	char *old_class;
	enum ftsan_audit_grade old_grade;
};

/**
 * struct ftsan_audit - the whole of it
 * @run:      borrowed; processes of other runs are left out. NULL: take everything
 * @names:    borrowed
 * @keys:     of entries, numbers as in @entries
 * @processes, @sealing, @complete: all, those that sealed anything, and of those the ones
 *            whose inventory is complete
 * @left_out: records that found no room
 * @commands, @pythons: of the root processes
 * @gone:     entries of the baseline that are no more
 */
struct ftsan_audit {
	const char *run;
	const struct ftsan_audit_names *names;
	struct ftsan_audit_module *modules;
	size_t modules_capacity;
	struct ftsan_names module_paths;
	struct ftsan_audit_entry *entries;
	size_t n_entries, capacity;
	struct ftsan_names keys;
	uint64_t processes, sealing, complete, left_out;
	struct ftsan_names commands, pythons;
	struct ftsan_audit_entry *gone;
	size_t n_gone, gone_capacity;
	bool compared;
};

/* struct ftsan_audit_running - tests that ran from a moment on */
struct ftsan_audit_running {
	double time;
	json_t *tests;
};

/**
 * struct ftsan_audit_source - the state of one log file; all-zero at first
 * @accept:   the process that is being read belongs to the run
 * @sealed:   it sealed something
 * @complete: its inventory is complete
 */
struct ftsan_audit_source {
	bool accept, sealed, complete;
	struct ftsan_audit_running *running;
	size_t n_running, capacity;
};

/* One line of the log of @source; others than those about statics and tests are nothing
 * to it. NULL for one that can't be had. */
void ftsan_audit_line(struct ftsan_audit *audit, struct ftsan_audit_source *source,
		      const char *text, size_t length);
void ftsan_audit_source_finish(struct ftsan_audit_source *source);

/* Worst first, module by module; those with the worst entry first. After the last line.
 */
void ftsan_audit_sort(struct ftsan_audit *audit);

/* Of a module, as the log has it; NULL when it gives none. */
const char *ftsan_audit_build_id(const struct ftsan_audit *audit, const char *path);

void ftsan_audit_release(struct ftsan_audit *audit);

/* Entries of a grade. */
size_t ftsan_audit_count(const struct ftsan_audit *audit, enum ftsan_audit_grade grade);

#endif
