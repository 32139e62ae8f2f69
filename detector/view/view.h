/*
 * The room of findings as they are written: symbolized, woven, nothing left to look up.
 * The detector makes views from what it recorded, the command from the log; text and JSON
 * are pure functions of a view, so both print the same report.
 *
 * May use: base.
 * Held: nothing.
 */
#ifndef FTSAN_VIEW_H
#define FTSAN_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

/* One frame. Strings are borrowed; NULL or "" means unknown. */
struct ftsan_view_frame {
	bool python;
	const char *function;
	const char *file;   /* python: the script; native: from debug information */
	int32_t line;	    /* 0: unknown */
	const char *module; /* native: path of the ELF object */
	uint64_t offset;    /* native: pc minus load bias */
	uint64_t start; /* native without a name: where the function begins; 0: unknown */
};

/**
 * struct ftsan_view_stack - one stack of a finding
 * @role:   "write", "read", "alloc", "free" or "call"
 * @tid:    kernel thread id, 0 when unknown
 * @thread: its name, NULL when unknown
 * @size:   bytes of the access; 0 when it has none or it is unknown
 * @address: of the access
 * @atomic: the access had a lock prefix
 * @operation: what the thread was doing ("Unpacker.feed"), NULL when it is not said
 * @object, @type: what to, 0 and NULL when that is not known
 */
struct ftsan_view_stack {
	const char *role;
	int tid;
	const char *thread;
	uint32_t size;
	uint64_t address;
	bool atomic;
	const char *operation;
	uint64_t object;
	const char *type;
	const struct ftsan_view_frame *frames;
	unsigned n_frames;
};

enum { FTSAN_VIEW_EARLIER_MAX = 8 };

/* struct ftsan_view_earlier - a finding that was made before; @before in seconds */
struct ftsan_view_earlier {
	const char *kind;
	char fingerprint[20];
	double before;
};

/**
 * struct ftsan_view_death - how a process died; every pointer is borrowed
 * @signal:   "SIGSEGV"; NULL: it did not end in time
 * @cause:    a sentence without its full stop; NULL: nothing is said
 * @detail:   the access, and what the pointer is; "" when nothing is known
 * @race:     two threads at the same thing are the likely reason
 * @relation: what the second stack has in common with the first: "object", "argument",
 *            "function", "method", "module"; NULL: nothing
 * @reg, @value: the register that held the bad pointer; "": none
 * @silent:   threads that did not answer when they were asked for their stacks
 * @untold:   how many more threads there are
 * @n_guilty: the first so many stacks tell the story; the rest is there besides
 * @earlier:  findings made before, the latest first
 */
struct ftsan_view_death {
	const char *signal;
	const char *cause;
	const char *detail;
	bool race;
	const char *relation;
	const char *reg;
	uint64_t value;
	const int *silent;
	unsigned n_silent;
	unsigned untold;
	unsigned n_guilty;
	unsigned n_earlier;
	struct ftsan_view_earlier earlier[FTSAN_VIEW_EARLIER_MAX];
};

enum { FTSAN_VIEW_DIMS_MAX = 64 };

/**
 * struct ftsan_view - a whole finding; every pointer is borrowed
 * @id:          "pid-n"
 * @kind, @confidence, @title: see docs/log.md
 * @fingerprint: 16 hex digits, see findings/group.h
 * @also:        the same of the group that is the same bug, too; NULL: there is none
 * @culprit, @culprit_module: the function that the fingerprint is made of; NULL: unknown
 * @evidence:    what this record shows of the bug, see ftsan_evidence()
 * @subject:     the kind of memory in words that are the same in every run and build,
 *               such as "wrapt.ObjectProxy"; NULL: @name without its index
 * @description: what the memory is
 * @name:        the word, such as "dims[0]"; NULL when it has none
 * @member:      of a static variable the part that debug information names, such as
 *               "state.lock.owner"; no part of what the bug is called. NULL: not known,
 *               and in the detector, which has no time for it
 * @module, @offset: where the memory is, if it is a module's data; NULL: it is none
 * @word:        its index, -1 when there is none
 * @operation:   "ndarray.repeat": the operation that it happened in; NULL: not said
 * @output:      the operation was given the object to write to
 * @grade:       "high", "medium", "low"; NULL: not graded
 * @note, @advice: what happens then, and what helps; NULL: not said
 * @death:       the process died, or did not end; NULL: neither
 * @n_shape:     entries of @shape, -1 when the shape is unknown
 */
struct ftsan_view {
	const char *id;
	int pid;
	double time;
	const char *kind;
	const char *confidence;
	const char *fingerprint;
	const char *also;
	const char *culprit;
	const char *culprit_module;
	const char *evidence;
	const char *subject;
	const char *title;
	bool gil_forced;
	const char *description;
	const char *name;
	const char *member;
	const char *module;
	uint64_t offset;
	uint64_t address;
	int word;
	bool has_old, has_new;
	int64_t old_value, new_value;
	int n_shape;
	int64_t shape[FTSAN_VIEW_DIMS_MAX];
	const char *dtype;
	const char *operation;
	bool output;
	const char *grade;
	const char *note;
	const char *advice;
	uint32_t size;
	const struct ftsan_view_death *death;
	const struct ftsan_view_stack *stacks;
	unsigned n_stacks;
};

/* Both: any thread, async-signal-safe, append to @out; JSON without a newline. */
void ftsan_view_json(struct ftsan_buf *out, const struct ftsan_view *view);
void ftsan_view_text(struct ftsan_buf *out, const struct ftsan_view *view);

/* Is the frame CPython's own code, by its module's name? Pure. */
bool ftsan_view_is_interpreter(const struct ftsan_view_frame *frame);

/*
 * Is the frame libc's or the loader's? Such a frame (a memmove, say) is where an access
 * was made, but names nobody: summaries and fingerprints look past it. Pure.
 */
bool ftsan_view_is_libc(const struct ftsan_view_frame *frame);

/* The same of a whole finding: hazards of statics are no metadata's. Pure. */
const char *ftsan_view_headline(const struct ftsan_view *view);

/* What ThreadSanitizer's headline would call the kind: "data race", ... Pure. */
const char *ftsan_kind_headline(const char *kind);

enum { FTSAN_SHORT_NAME = 512 };
/**
 * ftsan_view_short_name() - a function's name for people: of C++ template arguments that
 * are long "<...>" is left
 * @to: where it is made; what does not fit is cut off
 *
 * Pure, async-signal-safe. Return: @to.
 */
const char *ftsan_view_short_name(const char *name, char *to, size_t capacity_bytes);

/*
 * Names of modules and functions without what another build of them has different. What
 * does not fit is cut off. Pure, async-signal-safe.
 */

/* "_mcp.cpython-314t-x86_64-linux-gnu.so", "libopenblas64_p-r0-0cf96a72.3.23.dev.so" and
 * "libpython3.14t.so.1.0" are "_mcp", "libopenblas64_p-r0" and "python3". */
void ftsan_lasting_module(char *to, size_t size, const char *path);

/* Without .isra.0, .constprop.1, .part.0, .cold, .llvm.123, which are the compiler's: of
 * Cython's functions the method's name, as in "_mcp.MCP.find". */
void ftsan_lasting_function(char *to, size_t size, const char *name);

/**
 * ftsan_view_cython_name() - the method behind the name of Cython's C function
 * @to: gets "running.Mean.add" of "__pyx_f_7running_4Mean_add" and of
 *      "__pyx_pw_7running_4Mean_1add"; what does not fit is cut off
 *
 * Each part has its length in front, and the last one a number that tells functions of
 * one name apart (Cython/Compiler/, 3.0 to 3.2). What compilers add to names is left out.
 *
 * Pure, async-signal-safe. Return: false, and @to is as it was: it is no such name.
 */
bool ftsan_view_cython_name(const char *name, char *to, size_t capacity_bytes);

#endif
