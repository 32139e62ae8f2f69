/* Time that only goes on. */
#ifndef FTSAN_TOOLS_CLOCK_H
#define FTSAN_TOOLS_CLOCK_H

#include <time.h>

/* Seconds since some moment before the command began. */
static inline double ftsan_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif
