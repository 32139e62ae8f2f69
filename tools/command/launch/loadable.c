#include "launch/loadable.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "common/common.h"

extern char **environ;

/* Scripts of scripts; the kernel stops at five. */
enum { SCRIPTS_MAX = 5, HEAD_BYTES = 4096 };

/* struct head - the first bytes of a file */
struct head {
	char bytes[HEAD_BYTES + 1];
	size_t length;
};

static bool read_head(const char *path, struct head *head)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return false;
	length = read(fd, head->bytes, HEAD_BYTES);
	close(fd);
	if (length < 0)
		return false;
	head->length = (size_t)length;
	head->bytes[length] = '\0';
	return true;
}

/* The file that execvp(3) would take; malloc'ed, NULL if there is none. */
static char *find_in_path(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/') != NULL)
		return ftsan_xstrdup(name);
	if (path == NULL)
		path = "/bin:/usr/bin";
	while (*path != '\0') {
		int length = (int)strcspn(path, ":");
		char *file = length > 0 ? ftsan_xprintf("%.*s/%s", length, path, name)
					: ftsan_xstrdup(name);

		if (access(file, X_OK) == 0)
			return file;
		free(file);
		path += length;
		path += *path == ':';
	}
	return NULL;
}

/* "#!/usr/bin/env NAME" runs NAME, "#!FILE" runs FILE; malloc'ed, NULL if there is none. */
static char *interpreter_of(struct head *head)
{
	char *rest, *word;

	head->bytes[strcspn(head->bytes, "\n")] = '\0';
	word = strtok_r(head->bytes + 2, " \t", &rest);
	if (word == NULL)
		return NULL;
	if (strcmp(word, "/usr/bin/env") == 0 || strcmp(word, "/bin/env") == 0) {
		do {
			word = strtok_r(NULL, " \t", &rest);
		} while (word != NULL && (word[0] == '-' || strchr(word, '=') != NULL));
		if (word == NULL)
			return NULL;
	}
	return find_in_path(word);
}

/* The program behind the scripts; its first bytes in @head. */
static bool read_program(const char *command, struct head *head)
{
	char *path = find_in_path(command);

	for (int depth = 0; path != NULL && depth < SCRIPTS_MAX; depth++) {
		bool there = read_head(path, head);

		free(path);
		if (!there)
			return false;
		if (head->length < 2 || memcmp(head->bytes, "#!", 2) != 0)
			return true;
		path = interpreter_of(head);
	}
	free(path);
	return false;
}

/* The name of the program's loader, inside @head; NULL: it has none (static), or it is
 * not in the first bytes. */
static const char *loader_of(const struct head *head)
{
	Elf64_Ehdr file;
	Elf64_Phdr segment;

	memcpy(&file, head->bytes, sizeof(file));
	for (unsigned i = 0; i < file.e_phnum; i++) {
		size_t at = file.e_phoff + (size_t)i * sizeof(segment);

		if (at > head->length || head->length - at < sizeof(segment))
			return NULL;
		memcpy(&segment, head->bytes + at, sizeof(segment));
		if (segment.p_type != PT_INTERP)
			continue;
		if (segment.p_offset >= head->length)
			return NULL;
		return head->bytes + segment.p_offset;
	}
	return NULL;
}

static bool same_file(const char *a, const char *b)
{
	char real_a[PATH_MAX], real_b[PATH_MAX];

	return realpath(a, real_a) != NULL && realpath(b, real_b) != NULL &&
	       strcmp(real_a, real_b) == 0;
}

/* The loader that this command was started by. */
static bool is_own_loader(const char *loader)
{
	struct head head;
	const char *own;

	if (!read_head("/proc/self/exe", &head))
		return false;
	own = loader_of(&head);
	return own != NULL && same_file(own, loader);
}

/* Has the loader list what the library needs: it fails where a version is missing. */
static bool loader_takes(const char *loader, const char *library)
{
	char *arguments[] = {(char *)loader, (char *)"--list", (char *)library, NULL};
	posix_spawn_file_actions_t actions;
	int status = 0;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
	if (posix_spawn(&pid, loader, &actions, NULL, arguments, environ) == 0)
		waitpid(pid, &status, 0);
	posix_spawn_file_actions_destroy(&actions);
	return status == 0;
}

bool ftsan_loadable(const char *command, const char *library, char **reason)
{
	struct head head;
	const unsigned char *ident = (const unsigned char *)head.bytes;
	const char *loader;
	Elf64_Ehdr file;

	*reason = NULL;
	if (!read_program(command, &head) || head.length < sizeof(file) ||
	    memcmp(ident, ELFMAG, SELFMAG) != 0)
		return true;
	memcpy(&file, head.bytes, sizeof(file));
	if (ident[EI_CLASS] != ELFCLASS64 || file.e_machine != FTSAN_ELF_MACHINE) {
		*reason = ftsan_xstrdup("it is a program of another architecture");
		return false;
	}
	loader = loader_of(&head);
	if (loader == NULL || is_own_loader(loader))
		return true;
	if (strstr(loader, "ld-musl") != NULL) {
		*reason = ftsan_xstrdup("it is a program of musl's; ftsan needs glibc");
		return false;
	}
	if (!loader_takes(loader, library)) {
		*reason = ftsan_xprintf("its C library (%s) is too old for %s", loader,
					library);
		return false;
	}
	return true;
}
