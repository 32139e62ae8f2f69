#include "attach/target_refuse.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/common.h"

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

int ftsan_target_refuse(const struct ftsan_target *target, int error)
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

/* How many filters a thread's system calls go through; a kernel before 5.9 only says
 * whether there are any. */
static long long filters(const char *path)
{
	long long mode = 0, n = 0;

	(void)ftsan_proc_numbers(path, "Seccomp", &mode, 1);
	return ftsan_proc_numbers(path, "Seccomp_filters", &n, 1) == 1 ? n : mode;
}

/*
 * Has a thread filters that we have not? Some kill for calls that ftsan makes in there
 * (perf_event_open, clone3), and nobody can ask them. A container's are ours, too, when
 * the command runs in it.
 */
static bool is_filtered(const struct ftsan_target *target)
{
	long long own = filters("/proc/self/status");
	char path[FTSAN_PROC_PATH], name[64];
	DIR *tasks = opendir(ftsan_proc_path(target, "task", path));
	const struct dirent *entry;
	bool found = false;

	while (tasks != NULL && !found && (entry = readdir(tasks)) != NULL) {
		snprintf(name, sizeof(name), "task/%.20s/status", entry->d_name);
		found = filters(ftsan_proc_path(target, name, path)) > own;
	}
	if (tasks != NULL)
		closedir(tasks);
	return found;
}

/* Is /proc/PID/NAME the same as our own? What can't be looked at will be refused by
 * other means. */
static bool is_shared(const struct ftsan_target *target, const char *name)
{
	char path[FTSAN_PROC_PATH], own[32];
	struct stat there, here;

	snprintf(own, sizeof(own), "/proc/self/%s", name);
	return stat(own, &here) != 0 ||
	       stat(ftsan_proc_path(target, name, path), &there) != 0 ||
	       (here.st_ino == there.st_ino && here.st_dev == there.st_dev);
}

/* Code that goes back without a call does not get past one. */
static bool has_shadow_stack(const struct ftsan_target *target)
{
	static const char key[] = "x86_Thread_features:";
	char path[FTSAN_PROC_PATH], line[512];
	FILE *file = fopen(ftsan_proc_path(target, "status", path), "re");
	bool found = false;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		found |= strncmp(line, key, sizeof(key) - 1) == 0 &&
			 strstr(line, "shstk") != NULL;
	if (file != NULL)
		fclose(file);
	return found;
}

/* By SIGSTOP or a debugger: none of its threads comes anywhere. */
static bool is_stopped(const struct ftsan_target *target)
{
	char path[FTSAN_PROC_PATH], line[512];
	FILE *file = fopen(ftsan_proc_path(target, "status", path), "re");
	bool found = false;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		found |= strncmp(line, "State:\tT", 8) == 0;
	if (file != NULL)
		fclose(file);
	return found;
}

int ftsan_target_complain(const struct ftsan_target *target, int error, const char *what)
{
	ftsan_error("can't attach to %d: %s", (int)target->pid, what);
	return error;
}

int ftsan_target_check_process(struct ftsan_target *target)
{
	long long numbers[2] = {0}, ids[2] = {0};
	int n = ftsan_target_status(target, "Tgid", numbers, 1);

	if (n <= 0 || ftsan_target_ended(target))
		return ftsan_target_complain(target, -ESRCH, "there is no such process");
	if (numbers[0] != target->pid) {
		ftsan_error("can't attach to %d: it is a thread of process %lld; name "
			    "that",
			    (int)target->pid, numbers[0]);
		return -EINVAL;
	}
	if (target->pid == getpid())
		return ftsan_target_complain(target, -EINVAL, "that is ftsan itself");
	if (ftsan_target_status(target, "Uid", ids, 2) == 2)
		target->uid = (uid_t)ids[1];
	if (ftsan_target_status(target, "Gid", ids, 2) == 2)
		target->gid = (gid_t)ids[1];
	numbers[0] = 0;
	if (ftsan_target_status(target, "TracerPid", numbers, 1) == 1 &&
	    numbers[0] != 0) {
		ftsan_error("can't attach to %d: process %lld traces it (a debugger, "
			    "strace); end that first",
			    (int)target->pid, numbers[0]);
		return -EBUSY;
	}
	if (is_stopped(target))
		return ftsan_target_complain(target, -EBUSY,
					     "it is stopped; let it go on (kill -CONT), "
					     "and attach then");
	if (!is_shared(target, "ns/mnt") || !is_shared(target, "ns/pid") ||
	    !is_shared(target, "root"))
		return ftsan_target_complain(
			target, -EXDEV,
			"it runs in a container of its own, with other files or "
			"pids; run ftsan in there (docker exec, nsenter)");
	if (is_filtered(target))
		return ftsan_target_complain(
			target, -ENOTSUP,
			"it has a seccomp filter, which might kill it for what "
			"ftsan does in there; start it without (systemd: "
			"SystemCallFilter=)");
	if (has_shadow_stack(target))
		return ftsan_target_complain(
			target, -ENOTSUP,
			"its processor keeps a shadow stack for it; start it "
			"without x86_shstk in GLIBC_TUNABLES");
	return 0;
}
