#include "sampler/traced.h"

#include <fcntl.h>
#include <string.h>

#include "base/base.h"

bool ftsan_is_traced(void)
{
	static const char key[] = "TracerPid:\t";
	char text[1024];
	const char *at;
	ssize_t n;
	int fd = ftsan_sys_open("/proc/self/status", O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return false;
	n = ftsan_sys_read(fd, text, sizeof(text) - 1);
	(void)ftsan_sys_close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, key);
	return at != NULL && at[sizeof(key) - 1] != '0';
}
