#include "findings/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>

#include "base/base.h"

/* Written at start-up and in the child of a fork, when no other thread runs. */
static char path[FTSAN_LOG_PATH_MAX];
static char directory[FTSAN_LOG_PATH_MAX]; /* where the first process started */
static struct ftsan_fd file;
static struct ftsan_fd terminal;
static bool unknown_terminal; /* there is a stderr, but the kernel tells nothing of it */
static _Atomic bool torn;

/* Programs change their directory: what is opened again, and what a child opens, is
 * where the first one was. */
static void put_directory(struct ftsan_buf *out)
{
	if (directory[0] == '\0' && ftsan_sys_call6(SYS_getcwd, (long)directory,
						    sizeof(directory), 0, 0, 0, 0) < 0)
		return;
	/* The kernel names a directory outside of the root in parentheses. */
	if (directory[0] != '/')
		return;
	ftsan_buf_str(out, directory);
	ftsan_buf_char(out, '/');
}

static void expand(struct ftsan_buf *out, const char *pattern, bool root)
{
	bool has_pid = false;

	if (pattern[0] != '/')
		put_directory(out);
	for (const char *p = pattern; *p != '\0'; p++) {
		if (p[0] == '%' && p[1] == 'p') {
			ftsan_buf_i64(out, ftsan_sys_getpid());
			has_pid = true;
			p++;
		} else if (p[0] == '%' && p[1] == '%') {
			ftsan_buf_char(out, '%');
			p++;
		} else {
			ftsan_buf_char(out, *p);
		}
	}
	if (!root && !has_pid) {
		ftsan_buf_char(out, '.');
		ftsan_buf_i64(out, ftsan_sys_getpid());
	}
}

static int reopen(void)
{
	int raw = ftsan_sys_open(path,
				 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW |
					 O_NOCTTY | O_NONBLOCK,
				 0600);

	if (raw < 0)
		return raw;
	return ftsan_fd_take(&file, raw);
}

int ftsan_log_open(const char *pattern, bool root)
{
	struct ftsan_buf buf;

	ftsan_fd_drop(&file);
	ftsan_buf_init(&buf, path, sizeof(path));
	expand(&buf, pattern[0] != '\0' ? pattern : "ftsan.%p.jsonl", root);
	(void)ftsan_buf_cstr(&buf);
	if (buf.truncated)
		return -ENAMETOOLONG;
	atomic_store_explicit(&torn, false, memory_order_relaxed);
	return reopen();
}

void ftsan_log_close(void)
{
	path[0] = '\0';
	ftsan_fd_drop(&file);
	ftsan_fd_drop(&terminal);
}

const char *ftsan_log_path(void)
{
	return path;
}

static int number(void)
{
	int fd = ftsan_fd_number(&file);

	if (fd < 0 && path[0] != '\0' && reopen() == 0)
		fd = ftsan_fd_number(&file);
	return fd;
}

/* write_all() - one write(2) as a rule; what a full pipe or disk leaves, again. */
static int write_all(int fd, const char *text, size_t length)
{
	unsigned tries = 0;

	while (length > 0) {
		ssize_t done = ftsan_sys_write(fd, text, length);

		if (done == -EINTR || done == -EAGAIN) {
			if (++tries > 1000)
				return -EAGAIN;
			ftsan_sys_yield();
			continue;
		}
		if (done <= 0)
			return done == 0 ? -EIO : (int)done;
		text += done;
		length -= (size_t)done;
	}
	return 0;
}

/*
 * Past RLIMIT_FSIZE, and into a pipe that nobody reads, a write also sends a signal that
 * ends the program. CPython ignores both, but not yet when the first lines are written,
 * and a program that embeds it may want them for its own writes.
 */
static int write_quietly(int fd, const char *text, size_t length)
{
	const uint64_t deadly = 1ull << (SIGXFSZ - 1) | 1ull << (SIGPIPE - 1);
	uint64_t before = 0, pending = 0;
	int error;

	(void)ftsan_sys_sigmask(SIG_BLOCK, &deadly, &before);
	ftsan_sys_sigpending(&pending);
	error = write_all(fd, text, length);
	if (error == -EFBIG || error == -EPIPE)
		ftsan_sys_sigtake(deadly & ~pending);
	(void)ftsan_sys_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

int ftsan_log_write(struct ftsan_buf *line)
{
	int fd = number(), error;

	if (line->length == line->capacity)
		line->length--; /* a cut line ends all the same */
	ftsan_buf_char(line, '\n');
	if (fd < 0) {
		ftsan_count(log_errors);
		return -EBADF;
	}
	if (atomic_exchange_explicit(&torn, false, memory_order_relaxed))
		(void)write_quietly(fd, "\n", 1);
	error = write_quietly(fd, line->text, line->length);
	if (error != 0) {
		atomic_store_explicit(&torn, true, memory_order_relaxed);
		ftsan_count(log_errors);
	}
	return error;
}

void ftsan_log_keep_stderr(void)
{
	int raw = ftsan_sys_fcntl(2, F_DUPFD_CLOEXEC, 100);

	if (raw >= 0)
		unknown_terminal = ftsan_fd_take(&terminal, raw) != 0;
}

void ftsan_log_stderr(const struct ftsan_buf *text)
{
	/* A finding must not be lost because nobody can say whose the descriptor is. */
	int fd = unknown_terminal ? 2 : ftsan_fd_number(&terminal);

	if (fd >= 0)
		(void)write_quietly(fd, text->text, text->length);
}
