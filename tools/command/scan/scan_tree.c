#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "common/common.h"
#include "scan/scanned.h"

static void add_note(struct ftsan_scan_notes *notes, const char *path, const char *text)
{
	notes->list = ftsan_xgrow(notes->list, notes->n, &notes->capacity,
				  sizeof(*notes->list));
	notes->list[notes->n++] =
		(struct ftsan_scan_note){ftsan_xstrdup(path), ftsan_xstrdup(text)};
}

/* "name.cpython-313t-x86_64-linux-gnu.so" is cp313t, "name.abi3.so" abi3. */
static void read_abi(struct ftsan_scanned *module)
{
	const char *tag = strchr(ftsan_str_base_name(module->path), '.');
	size_t used = 2;

	if (tag == NULL)
		return;
	if (strncmp(tag, ".abi3", 5) == 0) {
		memcpy(module->abi, tag + 1, strcspn(tag + 1, ".") & 7);
		return;
	}
	if (strncmp(tag, ".cpython-", 9) != 0)
		return;
	memcpy(module->abi, "cp", 2);
	for (tag += 9; isalnum((unsigned char)*tag) && used + 1 < sizeof(module->abi);
	     tag++)
		module->abi[used++] = *tag;
}

static bool is_known(const struct ftsan_scan *scan, const struct stat *status)
{
	for (size_t i = 0; i < scan->n_modules; i++)
		if (scan->modules[i].device == status->st_dev &&
		    scan->modules[i].inode == status->st_ino)
			return true;
	return false;
}

static void add_module(struct ftsan_scan *scan, const char *path,
		       const struct stat *status, const struct ftsan_elf_facts *facts)
{
	struct ftsan_scanned *module;

	scan->modules = ftsan_xgrow(scan->modules, scan->n_modules,
				    &scan->modules_capacity, sizeof(*scan->modules));
	module = &scan->modules[scan->n_modules++];
	memset(module, 0, sizeof(*module));
	module->path = ftsan_xstrdup(path);
	module->device = status->st_dev;
	module->inode = status->st_ino;
	module->facts = *facts;
	read_abi(module);
}

static const char *problem_text(int error)
{
	switch (error) {
	case -ENOEXEC:
		return "no ELF file";
	case -EBADMSG:
		return "damaged, or without section headers";
	default:
		return strerror(-error);
	}
}

static int look_at(struct ftsan_scan *scan, const char *path, int fd)
{
	struct ftsan_elf_facts facts;
	struct stat status;
	int error;

	if (fstat(fd, &status) != 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || is_known(scan, &status))
		return 0;
	error = ftsan_elf_scan(fd, &facts);
	/* A linker script has such a name, too. */
	if (error == -ENOEXEC && strstr(path, ".cpython-") == NULL)
		return 0;
	if (error != 0)
		return error;
	if (facts.module || !facts.native)
		add_module(scan, path, &status, &facts);
	else
		scan->others++;
	return 0;
}

static void scan_file(struct ftsan_scan *scan, const char *path)
{
	/* O_NONBLOCK: a pipe without a writer would keep us here for ever. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error = fd < 0 ? -errno : look_at(scan, path, fd);

	if (fd >= 0)
		close(fd);
	if (error != 0)
		add_note(&scan->problems, path, problem_text(error));
}

static bool is_shared_object(const char *name)
{
	const char *at = strstr(name, ".so");

	for (; at != NULL; at = strstr(at + 1, ".so"))
		if (at[3] == '\0' || at[3] == '.')
			return true;
	return false;
}

/* "numpy-2.2.1.dist-info" */
static void scan_metadata(struct ftsan_scan *scan, const char *path, const char *name)
{
	static const char suffix[] = ".dist-info";
	size_t length = strlen(name), end = sizeof(suffix) - 1;
	char *version;

	if (strncmp(name, "numpy-", 6) != 0 || length < 6 + 1 + end ||
	    strcmp(name + length - end, suffix) != 0)
		return;
	version = ftsan_xprintf("%.*s", (int)(length - 6 - end), name + 6);
	add_note(&scan->numpy, path, version);
	free(version);
}

static void visit(struct ftsan_scan *scan, const FTSENT *entry)
{
	switch (entry->fts_info) {
	case FTS_D:
		scan_metadata(scan, entry->fts_path, entry->fts_name);
		break;
	case FTS_F:
	case FTS_SL:
		if (is_shared_object(entry->fts_name))
			scan_file(scan, entry->fts_path);
		break;
	case FTS_DC:
		add_note(&scan->problems, entry->fts_path, "a directory within itself");
		break;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		add_note(&scan->problems, entry->fts_path, strerror(entry->fts_errno));
		break;
	default:
		break;
	}
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

int ftsan_scan_tree(struct ftsan_scan *scan, const char *path)
{
	char *roots[] = {(char *)path, NULL};
	struct stat status;
	FTSENT *entry;
	FTS *tree;

	if (stat(path, &status) != 0)
		return -errno;
	tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	if (tree == NULL)
		return -errno;
	while ((entry = fts_read(tree)) != NULL)
		visit(scan, entry);
	fts_close(tree);
	return 0;
}

static void release_notes(struct ftsan_scan_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++) {
		free(notes->list[i].path);
		free(notes->list[i].text);
	}
	free(notes->list);
}

void ftsan_scan_release(struct ftsan_scan *scan)
{
	for (size_t i = 0; i < scan->n_modules; i++)
		free(scan->modules[i].path);
	free(scan->modules);
	release_notes(&scan->numpy);
	release_notes(&scan->problems);
	memset(scan, 0, sizeof(*scan));
}

bool ftsan_scanned_is_free_threaded(const struct ftsan_scanned *module)
{
	size_t length = strlen(module->abi);

	return length == 0 || module->abi[length - 1] == 't' ||
	       (length > 1 && strcmp(module->abi + length - 2, "td") == 0);
}

const char *ftsan_scanned_cython(const struct ftsan_scanned *module)
{
	return ftsan_scanned_is_free_threaded(module) && module->facts.cython[0] != '\0'
		       ? module->facts.cython
		       : NULL;
}

const char *ftsan_scanned_unhookable(const struct ftsan_scanned *module)
{
	if (!module->facts.native)
		return "not for " FTSAN_CPU_NAME;
	if (strncmp(module->abi, "abi3", 4) == 0)
		return "limited API";
	if (!module->facts.pymem)
		return "takes no memory that is guarded";
	return NULL;
}

static size_t count(const char *component, const char *version, size_t *mended)
{
	const struct ftsan_hazard *hazard = NULL;
	size_t n = 0;

	while ((hazard = ftsan_hazard_next(hazard, component, version)) != NULL) {
		n++;
		*mended += hazard->fixed != NULL;
	}
	return n;
}

size_t ftsan_scan_hazards(const struct ftsan_scan *scan, size_t *mended)
{
	size_t n = 0;

	*mended = 0;
	for (size_t i = 0; i < scan->numpy.n; i++)
		n += count("numpy", scan->numpy.list[i].text, mended);
	for (size_t i = 0; i < scan->n_modules; i++)
		n += count("cython", ftsan_scanned_cython(&scan->modules[i]), mended);
	return n;
}
