#include "attach/target_proc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *ftsan_proc_path(const struct ftsan_target *target, const char *name,
			    char *path)
{
	snprintf(path, FTSAN_PROC_PATH, "/proc/%d/%s", (int)target->pid, name);
	return path;
}

bool ftsan_target_read(const struct ftsan_target *target, uint64_t address, void *to,
		       size_t size)
{
	return pread(target->memory, to, size, (off_t)address) == (ssize_t)size;
}

bool ftsan_target_ended(const struct ftsan_target *target)
{
	char path[FTSAN_PROC_PATH], state = 'X', line[512];
	FILE *file = fopen(ftsan_proc_path(target, "stat", path), "re");
	const char *name_end;

	if (file == NULL)
		return true;
	if (fgets(line, sizeof(line), file) != NULL &&
	    (name_end = strrchr(line, ')')) != NULL)
		state = name_end[2];
	fclose(file);
	/* The descriptor is of the memory that the process had when it was opened. */
	return state == 'Z' || state == 'X' ||
	       (target->python_begin != 0 &&
		!ftsan_target_read(target, target->python_begin, &state, 1));
}

int ftsan_proc_numbers(const char *path, const char *key, long long *numbers, int n)
{
	char line[512];
	size_t length = strlen(key);
	FILE *file = fopen(path, "re");
	int found = 0;

	if (file == NULL)
		return -errno;
	while (fgets(line, sizeof(line), file) != NULL) {
		char *at = line + length + 1;

		if (strncmp(line, key, length) != 0 || line[length] != ':')
			continue;
		for (char *end; found < n; at = end, found++) {
			numbers[found] = strtoll(at, &end, 10);
			if (end == at)
				break;
		}
	}
	fclose(file);
	return found;
}

int ftsan_target_status(const struct ftsan_target *target, const char *key,
			long long *numbers, int n)
{
	char path[FTSAN_PROC_PATH];

	return ftsan_proc_numbers(ftsan_proc_path(target, "status", path), key, numbers,
				  n);
}

uint64_t ftsan_target_stack_limit(const struct ftsan_target *target)
{
	static const char key[] = "Max stack size";
	char path[FTSAN_PROC_PATH], line[128];
	FILE *file = fopen(ftsan_proc_path(target, "limits", path), "re");
	uint64_t limit = 0;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, key, sizeof(key) - 1) == 0)
			limit = sscanf(line + sizeof(key) - 1, "%" SCNu64, &limit) == 1
					? limit
					: UINT64_MAX; /* "unlimited" */
	if (file != NULL)
		fclose(file);
	return limit;
}
