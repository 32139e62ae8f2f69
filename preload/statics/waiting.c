#include "statics/waiting.h"

#include <dirent.h>
#include <stdio.h>

#include "statics/statics.h"

enum { ARGUMENTS = 6, PLACES = 1024, LEAST_BYTES = 4096, MOST_BYTES = 1 << 20 };

static struct {
	uintptr_t begin;
	size_t bytes;
} places[PLACES];
static unsigned n_places;

/* @next: the argument after it, which is most often its length. */
static void add(unsigned long argument, unsigned long next)
{
	if (argument < FTSAN_PAGE || n_places == PLACES)
		return;
	places[n_places].begin = argument;
	places[n_places++].bytes =
		next > LEAST_BYTES && next < MOST_BYTES ? next : LEAST_BYTES;
}

/* proc(5): "running", or the number, six arguments, two registers. */
static void look_at(const char *tid)
{
	unsigned long a[ARGUMENTS] = {0};
	char path[300];
	long number;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%s/syscall", tid);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	if (fscanf(file, "%ld %lx %lx %lx %lx %lx %lx", &number, &a[0], &a[1], &a[2],
		   &a[3], &a[4], &a[5]) == 1 + ARGUMENTS)
		for (unsigned i = 0; i < ARGUMENTS; i++)
			add(a[i], i + 1 < ARGUMENTS ? a[i + 1] : 0);
	(void)fclose(file);
}

void ftsan_waiting_collect(void)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;

	n_places = 0;
	while (tasks != NULL && (entry = readdir(tasks)) != NULL)
		if (entry->d_name[0] != '.')
			look_at(entry->d_name);
	if (tasks != NULL)
		(void)closedir(tasks);
}

void ftsan_waiting_forget(void)
{
	n_places = 0;
}

void ftsan_waiting_leave_open(uintptr_t begin, uintptr_t end)
{
	for (unsigned i = 0; i < n_places; i++)
		if (places[i].begin < end && places[i].begin + places[i].bytes > begin)
			ftsan_statics_leave_open(places[i].begin, places[i].bytes);
}
