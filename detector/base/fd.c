#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/sys.h"

/* Above what programs get by counting up, below the usual soft limit of 1024. */
enum { HIGH_NUMBER = 900, MODEST_NUMBER = 100 };

int ftsan_fd_move_high(int raw)
{
	int high = ftsan_sys_fcntl(raw, F_DUPFD_CLOEXEC, HIGH_NUMBER);

	if (high < 0)
		high = ftsan_sys_fcntl(raw, F_DUPFD_CLOEXEC, MODEST_NUMBER);
	if (high < 0)
		return raw;
	(void)ftsan_sys_close(raw);
	return high;
}

int ftsan_fd_take(struct ftsan_fd *fd, int raw)
{
	struct stat st;
	int number = ftsan_fd_move_high(raw);
	int error = ftsan_sys_fstat(number, &st);

	if (error < 0) {
		(void)ftsan_sys_close(number);
		return error;
	}
	fd->device = st.st_dev;
	fd->inode = st.st_ino;
	fd->number_plus_1 = number + 1;
	return 0;
}

int ftsan_fd_number(const struct ftsan_fd *fd)
{
	int number = fd->number_plus_1 - 1;
	struct stat st;

	if (number < 0 || ftsan_sys_fstat(number, &st) < 0)
		return -1;
	return st.st_dev == fd->device && st.st_ino == fd->inode ? number : -1;
}

void ftsan_fd_drop(struct ftsan_fd *fd)
{
	int number = ftsan_fd_number(fd);

	if (number >= 0)
		(void)ftsan_sys_close(number);
	fd->number_plus_1 = 0;
}
