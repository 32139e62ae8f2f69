#include "attach/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "common/common.h"

static int open_memory(struct ftsan_target *target)
{
	char path[FTSAN_PROC_PATH];
	int error;

	target->memory = open(ftsan_proc_path(target, "mem", path), O_RDWR | O_CLOEXEC);
	error = target->memory < 0 ? -errno : ftsan_target_read_mappings(target);
	if (error == 0 && target->n_mappings == 0)
		return ftsan_target_complain(target, -ESRCH,
					     "it has no memory (a kernel thread?)");
	return error == 0 ? 0 : ftsan_target_refuse(target, error);
}

static int look_at_exe(struct ftsan_target *target)
{
	char path[FTSAN_PROC_PATH], exe[4096];
	unsigned char head[20] = {0};
	ssize_t n = readlink(ftsan_proc_path(target, "exe", path), exe, sizeof(exe) - 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	target->exe = n > 0 ? ftsan_xprintf("%.*s", (int)n, exe) : ftsan_xstrdup("?");
	if (fd >= 0) {
		n = read(fd, head, sizeof(head));
		close(fd);
	}
	/* e_machine is two bytes, of which the second is 0. */
	if (fd >= 0 && (head[EI_CLASS] != ELFCLASS64 || head[18] != FTSAN_ELF_MACHINE))
		return ftsan_target_complain(
			target, -ENOEXEC,
			head[EI_CLASS] == ELFCLASS32
				? "it is a 32-bit program; ftsan is for "
				  "64-bit ones on " FTSAN_CPU_NAME
				: "it is no program for " FTSAN_CPU_NAME);
	return 0;
}

/* A second one beside the first would hook what that has hooked. */
static int find_library(struct ftsan_target *target)
{
	for (size_t i = 0; i < target->n_mappings; i++) {
		const char *name = ftsan_str_base_name(target->mappings[i].path);

		if (strcmp(name, "libftsan.so") == 0)
			target->library = target->mappings[i].path;
		else if (strncmp(name, "libftsan.so ", 12) == 0)
			return ftsan_target_complain(
				target, -ESTALE,
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
	ftsan_target_find_python(target);
	if (target->python == NULL) {
		ftsan_error("can't attach to %d: there is no CPython in it (it runs %s)",
			    (int)target->pid, target->exe);
		return -ENOEXEC;
	}
	/* Only builds without a GIL have the function, all of them. */
	if (ftsan_target_symbol(target, NULL, "_Py_MergeZeroLocalRefcount") != 0)
		return 0;
	return ftsan_target_complain(
		target, -ENOTSUP,
		"its CPython is built with a GIL, where NumPy gives the memory "
		"of old arrays to new ones: too little would be seen. Start the "
		"program by ftsan run");
}

int ftsan_target_open(struct ftsan_target *target, pid_t pid)
{
	int error;

	*target = (struct ftsan_target){.pid = pid, .memory = -1};
	error = ftsan_target_check_process(target);
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
