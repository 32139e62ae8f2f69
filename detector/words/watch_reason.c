#include "words/watch_reason.h"

#include <errno.h>
#include <fcntl.h>

#include "base/base.h"

static char text[128] = "recheck; watch=0"; /* written once at start */

const char *ftsan_watch_name(void)
{
	return text;
}

static const struct {
	int error;
	const char *name;
	const char *meaning;
} refusals[] = {
	{EACCES, "EACCES", NULL},
	{EPERM, "EPERM", "seccomp?"},
	{ENOSYS, "ENOSYS", "seccomp, or a kernel without perf events"},
	{ENOSPC, "ENOSPC", "all debug registers taken"},
	{EINVAL, "EINVAL", "Linux before 5.13?"},
	{E2BIG, "E2BIG", "Linux before 5.13"},
	{EMFILE, "EMFILE", "too few descriptors allowed"},
	{ENOENT, "ENOENT", "no hardware breakpoints"},
	{ENODEV, "ENODEV", "no hardware breakpoints"},
	{EOPNOTSUPP, "EOPNOTSUPP", "no hardware breakpoints"},
};

/* put_level() - the sysctl that refuses most often, as it stands. */
static void put_level(struct ftsan_buf *out)
{
	char level[8];
	int fd = ftsan_sys_open("/proc/sys/kernel/perf_event_paranoid",
				O_RDONLY | O_CLOEXEC, 0);
	ssize_t n = fd < 0 ? 0 : ftsan_sys_read(fd, level, sizeof(level));

	if (fd >= 0)
		(void)ftsan_sys_close(fd);
	while (n > 0 && level[n - 1] == '\n')
		n--;
	ftsan_buf_str(out, "perf_event_paranoid ");
	if (n > 0)
		ftsan_buf_bytes(out, level, (size_t)n);
	else
		ftsan_buf_str(out, "unknown");
}

static void put_refusal(struct ftsan_buf *out, int error)
{
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(refusals); i++) {
		if (refusals[i].error != error)
			continue;
		ftsan_buf_str(out, refusals[i].name);
		ftsan_buf_str(out, " (");
		if (refusals[i].meaning != NULL)
			ftsan_buf_str(out, refusals[i].meaning);
		else
			put_level(out);
		ftsan_buf_char(out, ')');
		return;
	}
	ftsan_buf_str(out, "error ");
	ftsan_buf_i64(out, error);
}

void ftsan_watch_note_refusal(int error)
{
	struct ftsan_buf out;

	ftsan_buf_init(&out, text, sizeof(text));
	if (error == 0) {
		ftsan_buf_str(&out, "perf");
	} else if (error == -EIO) {
		ftsan_buf_str(&out, "recheck; an armed word did not trap");
	} else {
		ftsan_buf_str(&out, "recheck; perf_event_open refused: ");
		put_refusal(&out, -error);
	}
	(void)ftsan_buf_cstr(&out);
}
