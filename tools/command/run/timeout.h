/* --timeout: a command that does not come to an end. Private to the room. */
#ifndef FTSAN_TOOLS_TIMEOUT_H
#define FTSAN_TOOLS_TIMEOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct ftsan_timeout - @seconds 0: none
 * @begin_ms:   when the command was started
 * @asked, @ended_ms: how often it was asked where it is, and when it was told to end
 */
struct ftsan_timeout {
	unsigned seconds;
	uint64_t begin_ms;
	unsigned asked;
	uint64_t next_ms, ended_ms;
};

void ftsan_timeout_begin(struct ftsan_timeout *timeout, unsigned seconds);

/*
 * What is due: past the time the process @pid is asked for its stacks, until @told (or
 * three seconds), then it gets SIGTERM, and SIGKILL five seconds later.
 */
void ftsan_timeout_poll(struct ftsan_timeout *timeout, pid_t pid, bool told);

/* Was it ended for that reason? */
bool ftsan_timeout_hit(const struct ftsan_timeout *timeout);

#endif
