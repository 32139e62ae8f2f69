#include "base/map.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>

#include "base/sys.h"

enum { CHUNK = 2048, LINE = 512 };

static const char *take_hex(const char *text, uintptr_t *value)
{
	*value = 0;
	for (;; text++) {
		unsigned digit = (unsigned char)*text;

		if (digit >= '0' && digit <= '9')
			digit -= '0';
		else if (digit >= 'a' && digit <= 'f')
			digit -= 'a' - 10;
		else
			return text;
		*value = *value << 4 | digit;
	}
}

/* "begin-end rwxp offset device inode      name" */
static bool parse(const char *line, struct ftsan_map_entry *out)
{
	const char *at = take_hex(line, &out->begin);
	size_t i;

	if (*at != '-')
		return false;
	at = take_hex(at + 1, &out->end);
	if (*at != ' ' || strlen(at) < 6)
		return false;
	memcpy(out->access, at + 1, 4);
	out->access[4] = '\0';
	at += 5;
	for (unsigned field = 0; field < 3; field++) {
		at += strspn(at, " ");
		at += strcspn(at, " ");
	}
	at += strspn(at, " ");
	for (i = 0; i + 1 < sizeof(out->name) && at[i] != '\0'; i++)
		out->name[i] = at[i];
	out->name[i] = '\0';
	return true;
}

struct reader {
	int fd;
	size_t at, n;
	char chunk[CHUNK];
};

static bool next_line(struct reader *reader, char *line)
{
	size_t length = 0;

	for (;;) {
		if (reader->at == reader->n) {
			ssize_t n = ftsan_sys_read(reader->fd, reader->chunk,
						   sizeof(reader->chunk));

			if (n <= 0)
				return false;
			reader->at = 0;
			reader->n = (size_t)n;
		}
		if (reader->chunk[reader->at] == '\n')
			break;
		if (length + 1 < LINE)
			line[length++] = reader->chunk[reader->at];
		reader->at++;
	}
	reader->at++;
	line[length] = '\0';
	return true;
}

bool ftsan_map_find(uintptr_t address, bool above, struct ftsan_map_entry *out)
{
	struct reader reader = {
		.fd = ftsan_sys_open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0)};
	char line[LINE];
	bool found = false;

	if (reader.fd < 0)
		return false;
	while (!found && next_line(&reader, line))
		found = parse(line, out) && address < out->end &&
			(above || address >= out->begin);
	(void)ftsan_sys_close(reader.fd);
	return found;
}
