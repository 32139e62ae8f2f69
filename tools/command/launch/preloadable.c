#include "launch/preloadable.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "common/common.h"

static bool is_plain(const char *path)
{
	return strpbrk(path, ": \t\n") == NULL;
}

/* Who may write here may have any program of this user's load a library of theirs. */
static bool is_private(const char *directory)
{
	struct stat facts;

	return lstat(directory, &facts) == 0 && S_ISDIR(facts.st_mode) &&
	       facts.st_uid == geteuid() && (facts.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool make_private(const char *directory)
{
	return (mkdir(directory, 0700) == 0 || errno == EEXIST) && is_private(directory);
}

static bool leads_to(const char *link, const char *library)
{
	char there[PATH_MAX];
	ssize_t length = readlink(link, there, sizeof(there) - 1);

	if (length < 0)
		return false;
	there[length] = '\0';
	return strcmp(there, library) == 0;
}

/* Each path has a link of its own, which is never changed while it is in use. The last part
 * is the library's own name, which children are recognized by. */
static char *link_in(const char *directory, const char *library)
{
	char *place = ftsan_xprintf("%s/%016" PRIx64, directory, 
				    ftsan_hash_text(FTSAN_HASH_BEGIN, library));
	char *link = ftsan_xprintf("%s/libftsan.so", place);

	/* Another `ftsan run` may make it at the same time. */
	if (!make_private(place) ||
	    (symlink(library, link) != 0 && !leads_to(link, library))) {
		free(link);
		link = NULL;
	}
	free(place);
	return link;
}

/* The base itself may be writable for others: /tmp is, where nobody can rename ours. */
static char *link_below(const char *base, const char *name, const char *library)
{
	char *outer, *inner, *link = NULL;

	if (base == NULL || base[0] != '/' || !is_plain(base))
		return NULL;
	outer = ftsan_xprintf("%s/%s", base, name);
	inner = ftsan_xprintf("%s/links", outer);
	if (make_private(outer) && make_private(inner))
		link = link_in(inner, library);
	free(outer);
	free(inner);
	return link;
}

static char *cache_of_home(void)
{
	const char *home = getenv("HOME");
	char *cache =
		home != NULL && home[0] == '/' ? ftsan_xprintf("%s/.cache", home) : NULL;

	if (cache != NULL)
		(void)mkdir(cache, 0700);
	return cache;
}

static char *find_place(const char *library)
{
	char *cache = cache_of_home();
	char *link = link_below(getenv("XDG_CACHE_HOME"), "ftsan", library);
	char in_tmp[32];

	snprintf(in_tmp, sizeof(in_tmp), "ftsan-%u", (unsigned)geteuid());
	if (link == NULL)
		link = link_below(cache, "ftsan", library);
	if (link == NULL)
		link = link_below(getenv("XDG_RUNTIME_DIR"), "ftsan", library);
	if (link == NULL)
		link = link_below("/tmp", in_tmp, library);
	free(cache);
	return link;
}

char *ftsan_preloadable(const char *library)
{
	char *link;

	if (is_plain(library))
		return ftsan_xstrdup(library);
	link = find_place(library);
	if (link == NULL)
		ftsan_error("%s: LD_PRELOAD can't name a file with a space or a colon in "
			    "its path, and there is no private directory for a link to "
			    "it; copy the library somewhere else and name it by "
			    "FTSAN_LIBRARY",
			    library);
	return link;
}
