#include "attach/inject.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/inject_registers.h"
#include "attach/inject_thread.h"
#include "common/common.h"

enum { PAUSE_US = 3000 };

/* A thread that is about to end is refused with EPERM, like those of a process that may
 * not be traced at all. */
static int verdict(unsigned n_refused, unsigned n_looked_at, bool busy)
{
	if (busy)
		return -EBUSY;
	return n_refused > 0 && n_looked_at == 0 ? -EPERM : -EAGAIN;
}

static int try_threads(struct ftsan_inject_plan *plan)
{
	char path[64];
	const struct dirent *entry;
	unsigned n_refused = 0, n_looked_at = 0;
	int error = -EAGAIN;
	bool busy = false;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)plan->target->pid);
	tasks = opendir(path);
	if (tasks == NULL)
		return -ESRCH;
	while ((error == -EAGAIN || error == -EPERM || error == -EBUSY) &&
	       (entry = readdir(tasks)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		error = ftsan_inject_thread(plan, atoi(entry->d_name));
		n_refused += error == -EPERM;
		n_looked_at += error == -EAGAIN;
		busy |= error == -EBUSY;
	}
	closedir(tasks);
	return error == -EAGAIN || error == -EPERM || error == -EBUSY
		       ? verdict(n_refused, n_looked_at, busy)
		       : error;
}

static int look_for_thread(struct ftsan_inject_plan *plan, double end)
{
	int error;

	do {
		error = try_threads(plan);
		if (error == -EAGAIN)
			usleep(PAUSE_US);
	} while (error == -EAGAIN && ftsan_seconds() < end);
	return error == -EAGAIN ? -ETIMEDOUT : error;
}

static bool copy(char *to, size_t room, const char *from)
{
	return snprintf(to, room, "%s", from) < (int)room;
}

static uint64_t libc_symbol(const struct ftsan_target *target, const char *name)
{
	uint64_t address = ftsan_target_symbol(target, "libc.so.", name);

	/* Before glibc 2.34 they were in a library of their own. */
	return address != 0 ? address : ftsan_target_symbol(target, "libdl.so.", name);
}

static int make_plan(struct ftsan_inject_plan *plan, const struct ftsan_target *target,
		     const struct ftsan_call *call)
{
	struct ftsan_block *block = &plan->block;

	memset(plan, 0, sizeof(*plan));
	plan->target = target;
	plan->cave = ftsan_target_cave(
		target, (size_t)(ftsan_inject_code_end - ftsan_inject_code));
	block->dlopen = libc_symbol(target, "dlopen");
	block->dlsym = libc_symbol(target, "dlsym");
	block->dlerror = libc_symbol(target, "dlerror");
	block->errno_location = libc_symbol(target, "__errno_location");
	block->xstate_bytes = ftsan_registers_extended_bytes();
	memcpy(block->prefix, "failed: ", sizeof(block->prefix));
	if (block->dlopen == 0 || block->dlsym == 0 || block->dlerror == 0 ||
	    block->errno_location == 0) {
		ftsan_error("can't attach to %d: there is no glibc in it",
			    (int)target->pid);
		return -ENOEXEC;
	}
	if (plan->cave == 0 || block->xstate_bytes == 0) {
		ftsan_error("can't attach to %d: there is no room for code in it, or the "
			    "processor has no XSAVE",
			    (int)target->pid);
		return -ENOEXEC;
	}
	if (!copy(block->library, sizeof(block->library), call->library) ||
	    !copy(block->function, sizeof(block->function), call->function) ||
	    !copy(block->request, sizeof(block->request), call->request) ||
	    !copy(block->status, sizeof(block->status), call->status)) {
		ftsan_error("%s: the name is too long", call->library);
		return -ENAMETOOLONG;
	}
	return 0;
}

static void complain(const struct ftsan_target *target, int error)
{
	if (error == -ETIMEDOUT)
		ftsan_error("can't attach to %d: no thread of it came to a point where "
			    "that is safe (each is inside of a library that is none of "
			    "CPython's, is stopped, blocks signals, or has little stack "
			    "left); try again",
			    (int)target->pid);
	else if (error == -EBUSY)
		ftsan_error("can't attach to %d: one of its threads waits in the kernel "
			    "and does not stop; try again",
			    (int)target->pid);
	else
		ftsan_error("can't attach to %d: %s", (int)target->pid, strerror(-error));
}

/* A process of its own: a thread that does not stop is let go when its tracer ends. */
static int look_in_child(struct ftsan_inject_plan *plan, double end)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(-look_for_thread(plan, end) & 0xff);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child < 0 ? -errno : WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

int ftsan_inject(const struct ftsan_target *target, const struct ftsan_call *call,
		 unsigned seconds)
{
	static struct ftsan_inject_plan plan;
	int error = make_plan(&plan, target, call);
	double end = ftsan_seconds() + seconds;

	if (error != 0)
		return error;
	while ((error = look_in_child(&plan, end)) == -EBUSY && ftsan_seconds() < end)
		usleep(PAUSE_US);
	if (error != 0)
		complain(target, error);
	return error;
}
