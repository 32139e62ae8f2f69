#include "log/log_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/common.h"
#include "log/log_store.h"

static int fail(const char *path, int error)
{
	ftsan_error("%s: the log can't be written: %s", path, strerror(error));
	return -error;
}

/* The command may change its directory, so the name must not depend on it. */
static char *absolute(const char *path)
{
	char *directory, *result;

	if (path[0] == '/')
		return ftsan_xstrdup(path);
	directory = getcwd(NULL, 0);
	if (directory == NULL)
		return NULL;
	result = ftsan_xprintf("%s/%s", directory, path);
	free(directory);
	return result;
}

static const char *last_component(const struct ftsan_log_file *file)
{
	return file->path + strlen(file->directory) + 1;
}

static int empty_file(const char *path)
{
	/* O_NONBLOCK: a pipe without a reader would keep us here for ever. */
	int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		      0600);
	struct stat status;
	int error = 0;

	if (fd < 0) {
		if (errno == ELOOP) {
			ftsan_error("%s: the log can't be written: it is a symbolic link",
				    path);
			return -ELOOP;
		}
		return fail(path, errno);
	}
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		ftsan_error("%s: the log can't be written: it is no regular file", path);
		error = -EINVAL;
	} else if (ftruncate(fd, 0) != 0) {
		error = fail(path, errno);
	}
	close(fd);
	return error;
}

static int check_directory(const struct ftsan_log_file *file)
{
	const char *directory = file->directory[0] != '\0' ? file->directory : "/";

	if (access(directory, W_OK | X_OK) != 0)
		return fail(file->path, errno);
	return 0;
}

/* Is it a log of ours? What has a name like one may be anything. */
static bool is_log(int directory, const char *name)
{
	static const char begin[] = "{\"v\":1,\"type\":\"process\"";
	char text[sizeof(begin) - 1];
	struct stat status;
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool same;

	if (fd < 0)
		return false;
	same = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
	       status.st_uid == geteuid() &&
	       read(fd, text, sizeof(text)) == (ssize_t)sizeof(text) &&
	       memcmp(text, begin, sizeof(text)) == 0;
	close(fd);
	return same;
}

/* What processes of an earlier run with the same name left: FILE.PID. */
static void remove_left_over(const struct ftsan_log_file *file)
{
	DIR *directory = opendir(file->directory[0] != '\0' ? file->directory : "/");
	const struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL)
		if (strcmp(entry->d_name, last_component(file)) != 0 &&
		    ftsan_log_file_matches(file, entry->d_name) &&
		    is_log(dirfd(directory), entry->d_name))
			unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory != NULL)
		closedir(directory);
}

static int open_requested(struct ftsan_log_file *file, const char *requested)
{
	const char *slash;
	int error;

	file->path = absolute(requested);
	if (file->path == NULL)
		return fail(requested, errno);
	slash = strrchr(file->path, '/');
	file->directory = ftsan_xprintf("%.*s", (int)(slash - file->path), file->path);
	if (strstr(file->directory, "%p") != NULL) {
		ftsan_error("%s: %%p may be in the log's own name only", file->path);
		return -EINVAL;
	}
	if (strstr(slash, "%p") != NULL)
		return check_directory(file);
	error = empty_file(file->path);
	if (error == 0)
		remove_left_over(file);
	return error;
}

static int open_temporary(struct ftsan_log_file *file)
{
	const char *base = getenv("TMPDIR");
	char *template = ftsan_xprintf("%s/ftsan-XXXXXX",
				       base != NULL && base[0] != '\0' ? base : "/tmp");

	file->directory = absolute(template);
	free(template);
	if (file->directory == NULL || mkdtemp(file->directory) == NULL) {
		int error = errno;

		ftsan_error("no temporary directory for the log: %s; --log FILE names "
			    "another place",
			    strerror(error));
		return -error;
	}
	file->temporary = true;
	file->path = ftsan_xprintf("%s/log.jsonl", file->directory);
	return empty_file(file->path);
}

int ftsan_log_file_open(struct ftsan_log_file *file, const char *requested)
{
	int error;

	memset(file, 0, sizeof(*file));
	if (requested == NULL || requested[0] == '\0')
		error = open_temporary(file);
	else
		error = open_requested(file, requested);
	if (error != 0)
		ftsan_log_file_close(file, false);
	return error;
}

int ftsan_log_file_open_stored(struct ftsan_log_file *file, const char *requested)
{
	if (requested != NULL && requested[0] != '\0')
		return ftsan_log_file_open(file, requested);
	memset(file, 0, sizeof(*file));
	file->directory = ftsan_store_new();
	if (file->directory == NULL)
		return ftsan_log_file_open(file, NULL);
	file->stored = true;
	file->path = ftsan_xprintf("%s/log.jsonl", file->directory);
	return empty_file(file->path);
}

/* Only what we may have put there; a directory with more in it stays. It may belong to
 * another user by now (ftsan attach), who may have put a link in its place. */
static void remove_temporary(const struct ftsan_log_file *file)
{
	int fd = open(file->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	while (directory != NULL && (entry = readdir(directory)) != NULL)
		if (ftsan_log_file_matches(file, entry->d_name))
			unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory != NULL)
		closedir(directory);
	else if (fd >= 0)
		close(fd);
	rmdir(file->directory);
}

/* Nothing ran that writes one. */
static bool is_empty(const struct ftsan_log_file *file)
{
	struct stat status;

	return stat(file->path, &status) == 0 && status.st_size == 0;
}

void ftsan_log_file_close(struct ftsan_log_file *file, bool keep)
{
	if (file->path != NULL &&
	    (file->stored ? is_empty(file) : file->temporary && !keep))
		remove_temporary(file);
	free(file->path);
	free(file->directory);
	memset(file, 0, sizeof(*file));
}

static size_t digits(const char *text)
{
	size_t count = 0;

	while (isdigit((unsigned char)text[count]))
		count++;
	return count;
}

/* The name with digits for each %p, the same ones every time. */
static bool matches_pattern(const char *pattern, const char *name)
{
	const char *pid = NULL;
	size_t length = 0;

	while (*pattern != '\0') {
		if (strncmp(pattern, "%p", 2) != 0) {
			if (*pattern++ != *name++)
				return false;
			continue;
		}
		if (pid == NULL) {
			pid = name;
			length = digits(name);
		}
		if (length == 0 || strncmp(name, pid, length) != 0)
			return false;
		name += length;
		pattern += 2;
	}
	return *name == '\0';
}

bool ftsan_log_file_matches(const struct ftsan_log_file *file, const char *name)
{
	const char *own = last_component(file);
	size_t length = strlen(own);

	if (strstr(own, "%p") != NULL)
		return matches_pattern(own, name);
	if (strncmp(name, own, length) != 0)
		return false;
	name += length;
	return *name == '\0' || (*name == '.' && digits(name + 1) > 0 &&
				 name[1 + digits(name + 1)] == '\0');
}
