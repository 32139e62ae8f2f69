/* How the parent learns why its child's exec failed: by a pipe that closes on exec. */
#ifndef FTSAN_TOOLS_EXEC_ERROR_H
#define FTSAN_TOOLS_EXEC_ERROR_H

#include <errno.h>
#include <unistd.h>

/* The errno of a failed exec; 0: the pipe closed without a word, it worked. */
static inline int ftsan_exec_error(int error_pipe)
{
	int error = 0;
	ssize_t n;

	do
		n = read(error_pipe, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(error) ? error : 0;
}

#endif
