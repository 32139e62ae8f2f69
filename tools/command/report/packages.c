#include "report/packages.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"
#include "common/common.h"
#include "results/results.h"
#include "view/view.h"

enum { LIST_BYTES_MAX = 1 << 24 };

/* Each line of RECORD begins with a path. */
static bool lists(const char *record, const char *inside)
{
	FILE *file = ftsan_fopen_regular(record, LIST_BYTES_MAX);
	size_t capacity = 0, length = strlen(inside);
	char *line = NULL;
	bool found = false;

	if (file == NULL)
		return false;
	while (!found && getline(&line, &capacity, file) >= 0)
		found = strncmp(line, inside, length) == 0 && line[length] == ',';
	free(line);
	(void)fclose(file);
	return found;
}

/* The time of the last change is the file system's own, unlike that of the content, which
 * comes out of archives. */
static bool is_older(const char *path, double ran)
{
	struct stat status;

	return stat(path, &status) == 0 &&
	       (double)status.st_ctim.tv_sec + (double)status.st_ctim.tv_nsec / 1e9 < ran;
}

/* "numpy 2.5.5" of "numpy-2.5.5.dist-info", malloc'ed; NULL: it is called otherwise. */
static char *installation(const char *name)
{
	static const char suffix[] = ".dist-info";
	size_t length = strlen(name), end = sizeof(suffix) - 1;
	const char *dash = strchr(name, '-');

	if (length <= end || strcmp(name + length - end, suffix) != 0 || dash == NULL ||
	    dash >= name + length - end)
		return NULL;
	return ftsan_xprintf("%.*s %.*s", (int)(dash - name), name,
			     (int)(name + length - end - dash - 1), dash + 1);
}

static char *find_installation(const char *directory, const char *inside, double ran)
{
	DIR *entries = opendir(directory);
	const struct dirent *entry;
	char *found = NULL;

	if (entries == NULL)
		return NULL;
	while (found == NULL && (entry = readdir(entries)) != NULL) {
		char *name = installation(entry->d_name), *record;

		if (name == NULL)
			continue;
		record = ftsan_xprintf("%s%s/RECORD", directory, entry->d_name);
		if (is_older(record, ran) && lists(record, inside))
			found = name;
		else
			free(name);
		free(record);
	}
	closedir(entries);
	return found;
}

char *ftsan_package_of(const char *module, const char *sysroot, double ran)
{
	const char *inside = ftsan_path_in_packages(module);
	char name[FTSAN_SHORT_NAME], *directory, *package;
	size_t length;

	if (ftsan_path_is_stdlib(module))
		return NULL;
	if (inside != NULL) {
		directory = ftsan_xprintf("%s%.*s", sysroot != NULL ? sysroot : "",
					  (int)(inside - module), module);
		package = find_installation(directory, inside, ran);
		free(directory);
		length = strcspn(inside, "/");
		if (package == NULL && inside[length] == '/')
			package = ftsan_xprintf("%.*s", (int)length, inside);
		if (package != NULL)
			return package;
	}
	ftsan_lasting_module(name, sizeof(name), module);
	return ftsan_xstrdup(name);
}
