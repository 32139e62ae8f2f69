/* The part of `ftsan doctor` that asks the kernel, the processor and the loader. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/base.h"
#include "common/common.h"
#include "doctor/checks.h"
#include "launch/launch.h"

/* The number in a file of /proc; @otherwise when there is none. */
static long read_number(const char *path, long otherwise)
{
	FILE *file = fopen(path, "re");
	long number = otherwise;

	if (file == NULL)
		return otherwise;
	if (fscanf(file, "%ld", &number) != 1)
		number = otherwise;
	fclose(file);
	return number;
}

static void check_kernel(struct ftsan_checks *checks)
{
	struct utsname name;

	if (uname(&name) != 0)
		return;
	/* MADV_WIPEONFORK, by which a child knows that it is one. */
	if (atoi(name.release) < 4 ||
	    (atoi(name.release) == 4 && atoi(name.release + 2) < 14))
		ftsan_checks_add(checks, "kernel", FTSAN_HEALTH_UNUSABLE,
				 ftsan_xprintf("%s %s", name.sysname, name.release),
				 "Linux 4.14 or later is needed");
	else
		ftsan_checks_add(checks, "kernel", FTSAN_HEALTH_OK,
				 ftsan_xprintf("%s %s, %s", name.sysname, name.release,
					       name.machine),
				 NULL);
}

/* Protection keys need the processor's flag, and the kernel's consent. */
static void check_pkey(struct ftsan_checks *checks)
{
	long key = syscall(SYS_pkey_alloc, 0, 0);

	if (key < 0) {
		ftsan_checks_add(checks, "pku", FTSAN_HEALTH_NOTE,
				 ftsan_xprintf("no protection keys: %s", strerror(errno)),
				 "nothing to do: only store=pkey needs them");
		return;
	}
	syscall(SYS_pkey_free, key);
	ftsan_checks_add(checks, "pku", FTSAN_HEALTH_OK,
			 ftsan_xstrdup("protection keys (store=pkey)"), NULL);
}

/* A watchpoint on a word of ours for all threads of the process, as the sampler has it.
 */
static int open_watchpoint(void)
{
	static long word;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attr),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uintptr_t)&word,
		.bp_len = HW_BREAKPOINT_LEN_8,
		.sample_period = 1,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.inherit = 1,
		.inherit_thread = 1,
		.sigtrap = 1,
		.remove_on_exec = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	close((int)fd);
	return 0;
}

/*
 * perf_advice() - the one thing that gives perf events
 * @error: of the call
 *
 * The kernel's own refusal by level is EACCES; a filter of the container's answers EPERM
 * or ENOSYS before the kernel is asked, and no sysctl helps there.
 */
static const char *perf_advice(int error)
{
	switch (-error) {
	case EACCES:
		return "sysctl kernel.perf_event_paranoid=2 (on the host, for a "
		       "container)";
	case EPERM:
	case ENOSYS:
		return "a filter of system calls refuses it, so a sysctl does not help: "
		       "docker run --cap-add PERFMON, or --security-opt seccomp=FILE "
		       "with a profile that allows perf_event_open";
	default:
		return "Linux 5.13 or later, with hardware breakpoints";
	}
}

static void check_perf(struct ftsan_checks *checks)
{
	long paranoid = read_number("/proc/sys/kernel/perf_event_paranoid", -2);
	int error = open_watchpoint();

	if (error == 0) {
		ftsan_checks_add(
			checks, "perf", FTSAN_HEALTH_OK,
			ftsan_xprintf(
				"perf_event_open works (paranoid level %ld); sampler: "
				"one watchpoint for all threads",
				paranoid),
			NULL);
		return;
	}
	ftsan_checks_add(
		checks, "perf", FTSAN_HEALTH_DEGRADED,
		ftsan_xprintf(
			"perf_event_open is refused: %s (paranoid level %ld): words "
			"of array headers (dtype, flags, nd, data) are compared "
			"before and after each operation, not watched; a value that is "
			"put back is mostly missed, findings are \"probable\" and name "
			"the operation, not the function that stored. Sampler: windows "
			"by sites, so accesses by libc and by the interpreter are "
			"missed, and races are found later",
			strerror(-error), paranoid),
		perf_advice(error));
}

/* Return: 0 when @page, which can't be written to, was written by the file. */
static int write_by_file(const char *page)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return -errno;
	if (pwrite(fd, "x", 1, (off_t)(uintptr_t)page) != 1)
		error = -errno;
	else if (*(const volatile char *)page != 'x')
		error = -EIO;
	close(fd);
	return error;
}

static int write_own_memory(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	char *page = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error;

	if (page == MAP_FAILED)
		return -errno;
	error = write_by_file(page);
	munmap(page, size);
	return error;
}

static void check_memory_file(struct ftsan_checks *checks)
{
	int error = write_own_memory();

	if (error == 0)
		ftsan_checks_add(checks, "mem", FTSAN_HEALTH_OK,
				 ftsan_xstrdup("/proc/self/mem can be written"), NULL);
	else
		ftsan_checks_add(checks, "mem", FTSAN_HEALTH_DEGRADED,
				 ftsan_xprintf("/proc/self/mem can't be written: %s",
					       strerror(-error)),
				 "stores are single-stepped instead, and collisions of "
				 "tight loops "
				 "are missed; see the kernel's proc_mem.force_override, "
				 "and whether "
				 "/proc is mounted");
}

static void check_maps(struct ftsan_checks *checks)
{
	/* What the interpreter and its libraries take, and a good deal more. */
	enum { OTHERS = 8000 };
	long limit = read_number("/proc/sys/vm/max_map_count", -1);
	struct ftsan_options options;

	ftsan_options_init(&options);
	if (limit < 0 || limit >= 2L * options.fragments + OTHERS)
		ftsan_checks_add(checks, "maps", FTSAN_HEALTH_OK,
				 ftsan_xprintf("vm.max_map_count is %ld", limit), NULL);
	else
		ftsan_checks_add(
			checks, "maps", FTSAN_HEALTH_DEGRADED,
			ftsan_xprintf("vm.max_map_count is %ld; fragments=%u may "
				      "need %ld",
				      limit, (unsigned)options.fragments,
				      2L * options.fragments + OTHERS),
			"sysctl vm.max_map_count=65530, or a smaller fragments=N "
			"(arrays past it are not watched)");
}

static void check_ptrace(struct ftsan_checks *checks)
{
	long scope = read_number("/proc/sys/kernel/yama/ptrace_scope", 0);

	ftsan_checks_add(
		checks, "ptrace", scope > 1 ? FTSAN_HEALTH_NOTE : FTSAN_HEALTH_OK,
		ftsan_xprintf("ptrace_scope is %ld", scope),
		scope > 1 ? "ftsan needs no ptrace; a debugger on a program that "
			    "hangs would"
			  : NULL);
}

/* Where the loader found it: in the system, or beside libftsan.so (@library or NULL). */
static char *find_provider(const char *library, const char *soname)
{
	const char *slash = library != NULL ? strrchr(library, '/') : NULL;
	void *handle = dlopen(soname, RTLD_LAZY | RTLD_LOCAL);
	struct link_map *map = NULL;
	char *beside;

	if (handle == NULL && slash != NULL) {
		beside =
			ftsan_xprintf("%.*s/%s", (int)(slash - library), library, soname);
		handle = dlopen(beside, RTLD_LAZY | RTLD_LOCAL);
		free(beside);
	}
	if (handle == NULL || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0)
		return NULL;
	return ftsan_xstrdup(map->l_name);
}

static void check_provider(struct ftsan_checks *checks, const char *library,
			   const char *name, const char *soname, const char *advice)
{
	char *path = find_provider(library, soname);

	if (path != NULL)
		ftsan_checks_add(checks, name, FTSAN_HEALTH_OK, path, NULL);
	else
		ftsan_checks_add(checks, name, FTSAN_HEALTH_DEGRADED,
				 ftsan_xprintf("%s is not there", soname), advice);
}

static void check_library(struct ftsan_checks *checks, const char *library)
{
	if (library != NULL)
		ftsan_checks_add(checks, "libftsan", FTSAN_HEALTH_OK,
				 ftsan_xstrdup(library), NULL);
	else
		ftsan_checks_add(checks, "libftsan", FTSAN_HEALTH_UNUSABLE,
				 ftsan_xstrdup("there is none that can be preloaded"),
				 "see the message on stderr; FTSAN_LIBRARY can name one");
}

void ftsan_check_system(struct ftsan_checks *checks)
{
	char *library = ftsan_library_path();

	check_kernel(checks);
	check_pkey(checks);
	check_perf(checks);
	check_memory_file(checks);
	check_maps(checks);
	check_ptrace(checks);
	check_library(checks, library);
	check_provider(checks, library, "libunwind", FTSAN_LIBUNWIND_SONAME,
		       "reports have few native frames without it; install libunwind "
		       "(Debian: libunwind8)");
	check_provider(checks, library, "Zydis", FTSAN_ZYDIS_SONAME,
		       "stores are single-stepped without it, and collisions of tight "
		       "loops are missed; install Zydis (Debian: libzydis4.0)");
	free(library);
}
