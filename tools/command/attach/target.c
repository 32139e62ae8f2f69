#include "attach/target.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/elf_image.h"
#include "common/message.h"
#include "common/xmemory.h"

enum { PATH_ROOM = 96 };

/* "/proc/PID/NAME" */
static const char *proc_path(const struct ftsan_target *target, const char *name,
			     char *path)
{
	snprintf(path, PATH_ROOM, "/proc/%d/%s", (int)target->pid, name);
	return path;
}

bool ftsan_target_read(const struct ftsan_target *target, uint64_t address, void *to,
		       size_t size)
{
	return pread(target->memory, to, size, (off_t)address) == (ssize_t)size;
}

bool ftsan_target_ended(const struct ftsan_target *target)
{
	char path[PATH_ROOM], state = 'X', line[512];
	FILE *file = fopen(proc_path(target, "stat", path), "re");
	const char *name_end;

	if (file == NULL)
		return true;
	if (fgets(line, sizeof(line), file) != NULL &&
	    (name_end = strrchr(line, ')')) != NULL)
		state = name_end[2];
	fclose(file);
	/* The descriptor is of the memory that the process had when it was opened. */
	return state == 'Z' || state == 'X' ||
	       (target->python_begin != 0 &&
		!ftsan_target_read(target, target->python_begin, &state, 1));
}

/* --- what is loaded ------------------------------------------------------------- */

static void add_mapping(struct ftsan_target *target, const char *line)
{
	struct ftsan_mapping mapping = {.begin = 0};
	char flags[8];
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %n",
		   &mapping.begin, &mapping.end, flags, &mapping.offset, &at) != 4)
		return;
	mapping.readable = flags[0] == 'r';
	mapping.executable = flags[2] == 'x';
	mapping.path = ftsan_xstrdup(line + at);
	mapping.path[strcspn(mapping.path, "\n")] = '\0';
	target->mappings = ftsan_xgrow(target->mappings, target->n_mappings,
				       &target->capacity, sizeof(mapping));
	target->mappings[target->n_mappings++] = mapping;
}

static int read_mappings(struct ftsan_target *target)
{
	char path[PATH_ROOM];
	char *line = NULL;
	size_t room = 0;
	FILE *maps = fopen(proc_path(target, "maps", path), "re");

	if (maps == NULL)
		return -errno;
	while (getline(&line, &room, maps) > 0)
		add_mapping(target, line);
	free(line);
	fclose(maps);
	return 0;
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* Each loaded object begins with a mapping of its file's first page. */
static bool is_object(const struct ftsan_mapping *mapping)
{
	return mapping->offset == 0 && mapping->readable && mapping->path[0] == '/';
}

static bool read_memory(void *target, uint64_t address, void *to, size_t size)
{
	return ftsan_target_read(target, address, to, size);
}

static bool open_image(const struct ftsan_target *target,
		       const struct ftsan_mapping *mapping, struct ftsan_elf_image *image)
{
	return is_object(mapping) &&
	       ftsan_elf_image_open(image, read_memory, (void *)(uintptr_t)target,
				    mapping->begin) == 0;
}

static uint64_t symbol_in(const struct ftsan_target *target,
			  const struct ftsan_mapping *mapping, const char *name)
{
	struct ftsan_elf_image image;

	return open_image(target, mapping, &image) ? ftsan_elf_image_symbol(&image, name)
						   : 0;
}

uint64_t ftsan_target_symbol(const struct ftsan_target *target, const char *object,
			     const char *name)
{
	uint64_t address = 0;

	for (size_t i = 0; address == 0 && i < target->n_mappings; i++) {
		const struct ftsan_mapping *mapping = &target->mappings[i];

		if (object != NULL &&
		    strncmp(last_component(mapping->path), object, strlen(object)) != 0)
			continue;
		address = symbol_in(target, mapping, name);
	}
	return address;
}

uint64_t ftsan_target_cave(const struct ftsan_target *target, size_t size)
{
	uint64_t cave = 0;

	for (size_t i = 0; cave == 0 && i < target->n_mappings; i++) {
		struct ftsan_elf_image image;

		/* The loader uses the rests of its pages for itself. */
		if (strncmp(last_component(target->mappings[i].path), "ld-", 3) != 0 &&
		    open_image(target, &target->mappings[i], &image))
			cave = ftsan_elf_image_cave(&image, size);
	}
	return cave;
}

const struct ftsan_mapping *ftsan_target_mapping(const struct ftsan_target *target,
						 uint64_t address)
{
	for (size_t i = 0; i < target->n_mappings; i++)
		if (address >= target->mappings[i].begin &&
		    address < target->mappings[i].end)
			return &target->mappings[i];
	return NULL;
}

/* --- may it be attached to? ------------------------------------------------------- */

const char *ftsan_refusal_advice(const struct ftsan_refusal *refusal)
{
	if (refusal->own_uid != 0 && refusal->own_uid != refusal->uid)
		return "it belongs to another user; attach as that user, or as root";
	switch (refusal->scope) {
	case 1:
		return "kernel.yama.ptrace_scope is 1: only a parent may attach. As "
		       "root: "
		       "sysctl kernel.yama.ptrace_scope=0; or attach as root, or start "
		       "the program by ftsan run";
	case 2:
		return "kernel.yama.ptrace_scope is 2: only root may attach (with "
		       "CAP_SYS_PTRACE). Attach as root, or start the program by ftsan "
		       "run";
	case 3:
		return "kernel.yama.ptrace_scope is 3: nobody may attach until the next "
		       "boot. Start the program by ftsan run";
	}
	if (refusal->own_uid == 0)
		return "root may not either: in a container, CAP_SYS_PTRACE is missing "
		       "(docker run --cap-add=SYS_PTRACE), or seccomp forbids it";
	return "it has privileges that you have not (set-user-ID, capabilities), or is "
	       "not dumpable; attach as root, or start it by ftsan run";
}

static int read_scope(void)
{
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = -1;

	if (file == NULL)
		return -1;
	if (fscanf(file, "%d", &scope) != 1)
		scope = -1;
	fclose(file);
	return scope;
}

static int refuse(const struct ftsan_target *target, int error)
{
	struct ftsan_refusal refusal = {
		.error = -error,
		.own_uid = geteuid(),
		.uid = target->uid,
		.scope = read_scope(),
	};

	ftsan_error("can't attach to %d: %s: %s", (int)target->pid, strerror(-error),
		    ftsan_refusal_advice(&refusal));
	return error;
}

/* "KEY:\t..." of a status file in /proc as numbers; how many there were. */
static int numbers_in(const char *path, const char *key, long long *numbers, int n)
{
	char line[512];
	size_t length = strlen(key);
	FILE *file = fopen(path, "re");
	int found = 0;

	if (file == NULL)
		return -errno;
	while (fgets(line, sizeof(line), file) != NULL) {
		char *at = line + length + 1;

		if (strncmp(line, key, length) != 0 || line[length] != ':')
			continue;
		for (char *end; found < n; at = end, found++) {
			numbers[found] = strtoll(at, &end, 10);
			if (end == at)
				break;
		}
	}
	fclose(file);
	return found;
}

static int status_numbers(const struct ftsan_target *target, const char *key,
			  long long *numbers, int n)
{
	char path[PATH_ROOM];

	return numbers_in(proc_path(target, "status", path), key, numbers, n);
}

uint64_t ftsan_target_stack_limit(const struct ftsan_target *target)
{
	static const char key[] = "Max stack size";
	char path[PATH_ROOM], line[128];
	FILE *file = fopen(proc_path(target, "limits", path), "re");
	uint64_t limit = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, sizeof(key) - 1) == 0)
			limit = sscanf(line + sizeof(key) - 1, "%" SCNu64, &limit) == 1
					? limit
					: UINT64_MAX; /* "unlimited" */
	if (file != NULL)
		fclose(file);
	return limit;
}

/* How many filters a thread's system calls go through; a kernel before 5.9 only says
 * whether there are any. */
static long long filters(const char *path)
{
	long long mode = 0, n = 0;

	(void)numbers_in(path, "Seccomp", &mode, 1);
	return numbers_in(path, "Seccomp_filters", &n, 1) == 1 ? n : mode;
}

/*
 * Has a thread filters that we have not? Some kill for calls that ftsan makes in there
 * (perf_event_open, clone3), and nobody can ask them. A container's are ours, too, when
 * the command runs in it.
 */
static bool is_filtered(const struct ftsan_target *target)
{
	long long own = filters("/proc/self/status");
	char path[PATH_ROOM], name[64];
	DIR *tasks = opendir(proc_path(target, "task", path));
	const struct dirent *entry;
	bool found = false;

	while (tasks != NULL && !found && (entry = readdir(tasks)) != NULL) {
		snprintf(name, sizeof(name), "task/%.20s/status", entry->d_name);
		found = filters(proc_path(target, name, path)) > own;
	}
	if (tasks != NULL)
		closedir(tasks);
	return found;
}

/* Is /proc/PID/NAME the same as our own? What can't be looked at will be refused by
 * other means. */
static bool is_shared(const struct ftsan_target *target, const char *name)
{
	char path[PATH_ROOM], own[32];
	struct stat there, here;

	snprintf(own, sizeof(own), "/proc/self/%s", name);
	return stat(own, &here) != 0 ||
	       stat(proc_path(target, name, path), &there) != 0 ||
	       (here.st_ino == there.st_ino && here.st_dev == there.st_dev);
}

/* Code that goes back without a call does not get past one. */
static bool has_shadow_stack(const struct ftsan_target *target)
{
	static const char key[] = "x86_Thread_features:";
	char path[PATH_ROOM], line[512];
	FILE *file = fopen(proc_path(target, "status", path), "re");
	bool found = false;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		found |= strncmp(line, key, sizeof(key) - 1) == 0 &&
			 strstr(line, "shstk") != NULL;
	if (file != NULL)
		fclose(file);
	return found;
}

static int complain(const struct ftsan_target *target, int error, const char *what)
{
	ftsan_error("can't attach to %d: %s", (int)target->pid, what);
	return error;
}

static int look_at_process(struct ftsan_target *target)
{
	long long numbers[2] = {0}, ids[2] = {0};
	int n = status_numbers(target, "Tgid", numbers, 1);

	if (n <= 0 || ftsan_target_ended(target))
		return complain(target, -ESRCH, "there is no such process");
	if (numbers[0] != target->pid) {
		ftsan_error("can't attach to %d: it is a thread of process %lld; name "
			    "that",
			    (int)target->pid, numbers[0]);
		return -EINVAL;
	}
	if (target->pid == getpid())
		return complain(target, -EINVAL, "that is ftsan itself");
	if (status_numbers(target, "Uid", ids, 2) == 2)
		target->uid = (uid_t)ids[1];
	if (status_numbers(target, "Gid", ids, 2) == 2)
		target->gid = (gid_t)ids[1];
	numbers[0] = 0;
	if (status_numbers(target, "TracerPid", numbers, 1) == 1 && numbers[0] != 0) {
		ftsan_error("can't attach to %d: process %lld traces it (a debugger, "
			    "strace); end that first",
			    (int)target->pid, numbers[0]);
		return -EBUSY;
	}
	if (!is_shared(target, "ns/mnt") || !is_shared(target, "ns/pid") ||
	    !is_shared(target, "root"))
		return complain(target, -EXDEV,
				"it runs in a container of its own, with other files or "
				"pids; run ftsan in there (docker exec, nsenter)");
	if (is_filtered(target))
		return complain(target, -ENOTSUP,
				"it has a seccomp filter, which might kill it for what "
				"ftsan does in there; start it without (systemd: "
				"SystemCallFilter=)");
	if (has_shadow_stack(target))
		return complain(target, -ENOTSUP,
				"its processor keeps a shadow stack for it; start it "
				"without x86_shstk in GLIBC_TUNABLES");
	return 0;
}

static int open_memory(struct ftsan_target *target)
{
	char path[PATH_ROOM];
	int error;

	target->memory = open(proc_path(target, "mem", path), O_RDWR | O_CLOEXEC);
	error = target->memory < 0 ? -errno : read_mappings(target);
	if (error == 0 && target->n_mappings == 0)
		return complain(target, -ESRCH, "it has no memory (a kernel thread?)");
	return error == 0 ? 0 : refuse(target, error);
}

static int look_at_exe(struct ftsan_target *target)
{
	char path[PATH_ROOM], exe[4096];
	unsigned char head[20] = {0};
	ssize_t n = readlink(proc_path(target, "exe", path), exe, sizeof(exe) - 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	target->exe = n > 0 ? ftsan_xprintf("%.*s", (int)n, exe) : ftsan_xstrdup("?");
	if (fd >= 0) {
		n = read(fd, head, sizeof(head));
		close(fd);
	}
	/* EI_CLASS and e_machine: ELFCLASS64 and EM_X86_64. */
	if (fd >= 0 && (head[4] != 2 || head[18] != 62))
		return complain(target, -ENOEXEC,
				head[4] == 1 ? "it is a 32-bit program; ftsan is for "
					       "64-bit ones on x86-64"
					     : "it is no program for x86-64");
	return 0;
}

static void find_python(struct ftsan_target *target)
{
	for (size_t i = 0; target->python == NULL && i < target->n_mappings; i++) {
		const struct ftsan_mapping *mapping = &target->mappings[i];
		uint64_t version;

		if (strcmp(mapping->path, target->exe) != 0 &&
		    strstr(mapping->path, "/libpython") == NULL)
			continue;
		if (symbol_in(target, mapping, "_PyRuntime") == 0)
			continue;
		target->python = mapping->path;
		target->python_begin = mapping->begin;
		target->has_malloc = symbol_in(target, mapping, "malloc") != 0;
		version = symbol_in(target, mapping, "Py_Version");
		if (version == 0 || !ftsan_target_read(target, version, &target->version,
						       sizeof(target->version)))
			target->version = 0;
	}
}

/* A second one beside the first would hook what that has hooked. */
static int find_library(struct ftsan_target *target)
{
	for (size_t i = 0; i < target->n_mappings; i++) {
		const char *name = last_component(target->mappings[i].path);

		if (strcmp(name, "libftsan.so") == 0)
			target->library = target->mappings[i].path;
		else if (strncmp(name, "libftsan.so ", 12) == 0)
			return complain(target, -ESTALE,
					"the libftsan.so in it was replaced meanwhile; "
					"that takes a new start of the program");
	}
	return 0;
}

static int look_at_contents(struct ftsan_target *target)
{
	int error = find_library(target);

	if (error != 0)
		return error;
	find_python(target);
	if (target->python == NULL) {
		ftsan_error("can't attach to %d: there is no CPython in it (it runs %s)",
			    (int)target->pid, target->exe);
		return -ENOEXEC;
	}
	/* Only builds without a GIL have the function, all of them. */
	if (ftsan_target_symbol(target, NULL, "_Py_MergeZeroLocalRefcount") != 0)
		return 0;
	return complain(target, -ENOTSUP,
			"its CPython is built with a GIL, where NumPy gives the memory "
			"of old arrays to new ones: too little would be seen. Start the "
			"program by ftsan run");
}

int ftsan_target_open(struct ftsan_target *target, pid_t pid)
{
	int error;

	*target = (struct ftsan_target){.pid = pid, .memory = -1};
	error = look_at_process(target);
	if (error == 0)
		error = open_memory(target);
	if (error == 0)
		error = look_at_exe(target);
	if (error == 0)
		error = look_at_contents(target);
	if (error != 0)
		ftsan_target_close(target);
	return error;
}

void ftsan_target_close(struct ftsan_target *target)
{
	if (target->memory >= 0)
		close(target->memory);
	for (size_t i = 0; i < target->n_mappings; i++)
		free(target->mappings[i].path);
	free(target->mappings);
	free(target->exe);
	*target = (struct ftsan_target){.memory = -1};
}
