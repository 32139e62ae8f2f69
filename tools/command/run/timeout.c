#include "run/timeout.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "common/common.h"

enum { ASK_AGAIN_MS = 1000, ASKED_MAX = 3, KILL_MS = 5000 };

static uint64_t now_ms(void)
{
	return ftsan_sys_now_ns() / 1000000;
}

/* SIGTRAP would end a process that does not expect it. */
static bool expects_trap(pid_t pid)
{
	char path[64], line[256];
	unsigned long long caught = 0;
	bool ours = false;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "SigCgt:", 7) == 0)
			caught = strtoull(line + 7, NULL, 16);
	if (file != NULL)
		(void)fclose(file);
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	while (file != NULL && !ours && fgets(line, sizeof(line), file) != NULL)
		ours = strstr(line, "libftsan.so") != NULL;
	if (file != NULL)
		(void)fclose(file);
	return ours && (caught >> (SIGTRAP - 1) & 1) != 0;
}

static void ask(const struct ftsan_timeout *timeout, pid_t pid)
{
	union sigval value;

	value.sival_ptr = (void *)(uintptr_t)(FTSAN_HANG_MARK | timeout->seconds);
	if (expects_trap(pid))
		(void)sigqueue(pid, SIGTRAP, value);
}

void ftsan_timeout_begin(struct ftsan_timeout *timeout, unsigned seconds)
{
	memset(timeout, 0, sizeof(*timeout));
	timeout->seconds = seconds;
	timeout->begin_ms = now_ms();
}

static void end(struct ftsan_timeout *timeout, pid_t pid, uint64_t now)
{
	if (timeout->ended_ms == 0) {
		ftsan_error("no end after %u s: SIGTERM", timeout->seconds);
		timeout->ended_ms = now;
		(void)kill(pid, SIGTERM);
	} else if (now - timeout->ended_ms >= KILL_MS) {
		timeout->ended_ms = now;
		(void)kill(pid, SIGKILL);
	}
}

void ftsan_timeout_poll(struct ftsan_timeout *timeout, pid_t pid, bool told)
{
	uint64_t now = now_ms();

	if (timeout->seconds == 0 ||
	    now - timeout->begin_ms < (uint64_t)timeout->seconds * 1000)
		return;
	if (timeout->ended_ms != 0 || (told && timeout->asked > 0)) {
		end(timeout, pid, now);
	} else if (now >= timeout->next_ms) {
		if (timeout->asked++ == ASKED_MAX) {
			end(timeout, pid, now);
			return;
		}
		timeout->next_ms = now + ASK_AGAIN_MS;
		ask(timeout, pid);
	}
}

bool ftsan_timeout_hit(const struct ftsan_timeout *timeout)
{
	return timeout->ended_ms != 0;
}
