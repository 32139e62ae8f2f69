/* A process as its files in /proc have it. */
#ifndef FTSAN_TOOLS_TARGET_PROC_H
#define FTSAN_TOOLS_TARGET_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* struct ftsan_mapping - a line of /proc/PID/maps; @path owned, "" for none */
struct ftsan_mapping {
	uint64_t begin, end, offset;
	bool readable, executable;
	char *path;
};

/**
 * struct ftsan_target - the process
 * @memory:   descriptor of /proc/PID/mem, read and write
 * @uid, @gid: its effective ones: what it can read and write
 * @exe:      owned
 * @python:   path of the object that defines _PyRuntime, in @mappings
 * @version:  Py_Version (0x030d05f0), 0: none
 * @python_begin: where that object is, 0: not known yet
 * @has_malloc: that object defines malloc, too
 * @library:  path of a libftsan.so that is in it, NULL: there is none
 */
struct ftsan_target {
	pid_t pid;
	int memory;
	uid_t uid;
	gid_t gid;
	char *exe;
	struct ftsan_mapping *mappings;
	size_t n_mappings, capacity;
	const char *python;
	uint64_t python_begin;
	uint32_t version;
	bool has_malloc;
	const char *library;
};

/* Has the process ended, or does it run another program by now? */
bool ftsan_target_ended(const struct ftsan_target *target);

/* Reads @size bytes at @address; false: not all of them are there. */
bool ftsan_target_read(const struct ftsan_target *target, uint64_t address, void *to,
		       size_t size);

/* Bytes that the main thread's stack may take; 0: not known. */
uint64_t ftsan_target_stack_limit(const struct ftsan_target *target);

enum { FTSAN_PROC_PATH = 96 };

/* "/proc/PID/NAME", in @path of FTSAN_PROC_PATH bytes. */
const char *ftsan_proc_path(const struct ftsan_target *target, const char *name,
			    char *path);

/* "KEY:\t..." of a status file in /proc as numbers; how many there were, or -errno. */
int ftsan_proc_numbers(const char *path, const char *key, long long *numbers, int n);
int ftsan_target_status(const struct ftsan_target *target, const char *key,
			long long *numbers, int n);

#endif
