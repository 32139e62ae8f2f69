#include "live/follow.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/common.h"

void ftsan_follow_init(struct ftsan_follow *follow, const struct ftsan_log_file *file,
		       struct ftsan_session *session)
{
	memset(follow, 0, sizeof(*follow));
	follow->file = file;
	follow->session = session;
}

void ftsan_follow_release(struct ftsan_follow *follow)
{
	for (size_t i = 0; i < follow->n_files; i++) {
		free(follow->files[i].name);
		ftsan_tail_release(&follow->files[i].tail);
	}
	free(follow->files);
	memset(follow, 0, sizeof(*follow));
}

static bool is_followed(const struct ftsan_follow *follow, const char *name)
{
	for (size_t i = 0; i < follow->n_files; i++)
		if (strcmp(follow->files[i].name, name) == 0)
			return true;
	return false;
}

static void add(struct ftsan_follow *follow, const char *name)
{
	char *path = ftsan_xprintf("%s/%s", follow->file->directory, name);
	struct ftsan_followed *followed;

	follow->files = ftsan_xgrow(follow->files, follow->n_files, &follow->capacity,
				    sizeof(*followed));
	followed = &follow->files[follow->n_files++];
	memset(followed, 0, sizeof(*followed));
	followed->name = ftsan_xstrdup(name);
	followed->session = follow->session;
	ftsan_tail_init(&followed->tail, path);
	/* The log itself was emptied before the run; FILE.PID may be an old one. */
	ftsan_source_init(&followed->source, strcmp(path, follow->file->path) == 0);
	free(path);
}

static int look_for_files(struct ftsan_follow *follow)
{
	const char *path = follow->file->directory;
	DIR *directory = opendir(path[0] != '\0' ? path : "/");
	const struct dirent *entry;

	if (directory == NULL)
		return -errno;
	while ((entry = readdir(directory)) != NULL)
		if (ftsan_log_file_matches(follow->file, entry->d_name) &&
		    !is_followed(follow, entry->d_name))
			add(follow, entry->d_name);
	closedir(directory);
	return 0;
}

static void hand_over(void *argument, const char *text, size_t length)
{
	struct ftsan_followed *followed = argument;

	ftsan_session_line(followed->session, &followed->source, text, length);
}

void ftsan_follow_poll(struct ftsan_follow *follow)
{
	follow->error = look_for_files(follow);
	for (size_t i = 0; i < follow->n_files; i++) {
		struct ftsan_followed *followed = &follow->files[i];

		followed->error = ftsan_tail_read(&followed->tail, hand_over, followed);
		ftsan_source_flush(follow->session, &followed->source);
	}
}

/* Something of the same name that was there before, and is not for us to read. */
static bool is_strangers(const struct ftsan_followed *followed)
{
	return !followed->source.accept &&
	       (followed->error == -EACCES || followed->error == -EINVAL);
}

int ftsan_follow_finish(struct ftsan_follow *follow, unsigned *torn_files)
{
	int error = follow->error;

	if (error != 0)
		ftsan_error("%s: %s", follow->file->directory, strerror(-error));
	*torn_files = 0;
	for (size_t i = 0; i < follow->n_files; i++) {
		struct ftsan_followed *followed = &follow->files[i];

		ftsan_source_finish(follow->session, &followed->source);
		if (followed->source.accept && ftsan_tail_is_torn(&followed->tail))
			(*torn_files)++;
		if (followed->error == 0 || is_strangers(followed))
			continue;
		error = followed->error;
		ftsan_error("%s: %s", followed->tail.path, strerror(-error));
	}
	ftsan_session_flush(follow->session);
	return error;
}
