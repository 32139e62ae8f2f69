/*
 * A running process as `ftsan attach` finds it: what it is, what is loaded where, and
 * whether it can be attached to. All of it from /proc; nothing is changed.
 */
#ifndef FTSAN_TOOLS_TARGET_H
#define FTSAN_TOOLS_TARGET_H

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

/* Return: 0; -errno, and the reason was printed, with what to do about it. */
int ftsan_target_open(struct ftsan_target *target, pid_t pid);
void ftsan_target_close(struct ftsan_target *target);

/* Has the process ended, or does it run another program by now? */
bool ftsan_target_ended(const struct ftsan_target *target);

/* Reads @size bytes at @address; false: not all of them are there. */
bool ftsan_target_read(const struct ftsan_target *target, uint64_t address, void *to,
		       size_t size);

/* Bytes that the main thread's stack may take; 0: not known. */
uint64_t ftsan_target_stack_limit(const struct ftsan_target *target);

/**
 * ftsan_target_symbol() - a function or object that a loaded object exports
 * @object: start of the object's path's last component ("libc.so."); NULL: any object
 *
 * Return: its address in the process, 0: not there.
 */
uint64_t ftsan_target_symbol(const struct ftsan_target *target, const char *object,
			     const char *name);

/*
 * Where @size bytes can be executed that no code is at: behind the end of some object's
 * code, on its last page. 0: nowhere.
 */
uint64_t ftsan_target_cave(const struct ftsan_target *target, size_t size);

/* The mapping that holds an address, NULL: none. */
const struct ftsan_mapping *ftsan_target_mapping(const struct ftsan_target *target,
						 uint64_t address);

/**
 * struct ftsan_refusal - why a process can't be attached to
 * @error:   of opening its memory
 * @own_uid, @uid: who asks, whose it is
 * @scope:   /proc/sys/kernel/yama/ptrace_scope, -1: there is none
 */
struct ftsan_refusal {
	int error;
	uid_t own_uid, uid;
	int scope;
};

/* What to do about it: a sentence. Pure; static storage. */
const char *ftsan_refusal_advice(const struct ftsan_refusal *refusal);

#endif
