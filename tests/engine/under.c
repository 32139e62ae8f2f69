/*
 * Runs a program as a stranger to the kernel:
 *
 *   under EPERM|EACCES|ENOSYS PROGRAM ARGUMENT...  perf_event_open fails so (seccomp)
 *   under nobody PROGRAM ARGUMENT...               without privileges
 */
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FAILED = 125, NOBODY = 65534, SKIPPED = 77 };

static int deny(int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]),
				     .filter = filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int become_nobody(void)
{
	if (geteuid() != 0)
		return 0; /* it is one already */
	if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0)
		return -1;
	return setresuid(NOBODY, NOBODY, NOBODY);
}

static int arrange(const char *how)
{
	if (strcmp(how, "EPERM") == 0)
		return deny(EPERM);
	if (strcmp(how, "ENOSYS") == 0)
		return deny(ENOSYS);
	if (strcmp(how, "EACCES") == 0)
		return deny(EACCES);
	errno = EINVAL;
	return strcmp(how, "nobody") == 0 ? become_nobody() : -1;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return FAILED;
	if (arrange(argv[1]) != 0) {
		printf("skipped: %s: %s\n", argv[1], strerror(errno));
		return SKIPPED;
	}
	execv(argv[2], argv + 2);
	printf("%s: %s\n", argv[2], strerror(errno));
	return errno == EACCES ? SKIPPED : FAILED;
}
