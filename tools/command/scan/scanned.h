/* What `ftsan scan` found in a directory tree. */
#ifndef FTSAN_TOOLS_SCANNED_H
#define FTSAN_TOOLS_SCANNED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "scan/elf_scan.h"

/**
 * struct ftsan_scanned - an extension module
 * @path:   owned
 * @abi:    "cp313t", "abi3", of its name; empty when the name has none
 * @device, @inode: by which it is known under another name
 */
struct ftsan_scanned {
	char *path;
	char abi[16];
	uint64_t device, inode;
	struct ftsan_elf_facts facts;
};

/* struct ftsan_scan_note - a path and what there is to say of it; both are owned */
struct ftsan_scan_note {
	char *path;
	char *text;
};

struct ftsan_scan_notes {
	struct ftsan_scan_note *list;
	size_t n, capacity;
};

/**
 * struct ftsan_scan - all of it; all-zero is an empty one
 * @numpy:    installed NumPys: directory of the metadata, and version
 * @problems: what could not be read, and why
 * @others:   shared objects that are no extension modules
 */
struct ftsan_scan {
	struct ftsan_scanned *modules;
	size_t n_modules, modules_capacity;
	struct ftsan_scan_notes numpy;
	struct ftsan_scan_notes problems;
	size_t others;
};

/**
 * ftsan_scan_tree() - add what is in a directory (or what a file is)
 *
 * Links to directories are not followed, links to files are. Nothing is executed.
 * Return: 0; -errno when @path itself can't be looked at. The rest becomes problems.
 */
int ftsan_scan_tree(struct ftsan_scan *scan, const char *path);
void ftsan_scan_release(struct ftsan_scan *scan);

/* Is it for free-threaded interpreters? One whose name says nothing may be. */
bool ftsan_scanned_is_free_threaded(const struct ftsan_scanned *module);

/* The Cython that its hazards are those of; NULL when it has none. */
const char *ftsan_scanned_cython(const struct ftsan_scanned *module);

/* Why it has nothing for the engine of arrays and code caches; NULL when it has. */
const char *ftsan_scanned_unhookable(const struct ftsan_scanned *module);

/* Hazards of the modules and of NumPy, counted a module each; @mended: those of them that
 * a newer version has not. */
size_t ftsan_scan_hazards(const struct ftsan_scan *scan, size_t *mended);

void ftsan_scan_print(FILE *out, const struct ftsan_scan *scan);
json_t *ftsan_scan_json(const struct ftsan_scan *scan);

#endif
