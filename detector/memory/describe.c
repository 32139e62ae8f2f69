#include "memory/memory.h"

#include <fcntl.h>
#include <string.h>

#include "base/base.h"

enum { MAPS_BYTES = 2048, FIELD_NAME = 40 };

static void describe_object(const struct ftsan_memory *memory, struct ftsan_buf *out)
{
	char type[FTSAN_TYPE_NAME], field[FIELD_NAME];

	if (!ftsan_memory_type_name(memory->type, type)) {
		ftsan_buf_str(out, "word +");
		ftsan_buf_u64(out, ftsan_memory_offset(memory));
		ftsan_buf_str(out, " of a block for an object, ");
		ftsan_buf_u64(out, memory->size);
		ftsan_buf_str(out, " bytes");
		return;
	}
	ftsan_buf_str(out, "field ");
	if (ftsan_memory_field_name(memory, field, sizeof(field))) {
		ftsan_buf_str(out, field);
		ftsan_buf_str(out, " (+");
		ftsan_buf_u64(out, ftsan_memory_offset(memory));
		ftsan_buf_char(out, ')');
	} else {
		ftsan_buf_char(out, '+');
		ftsan_buf_u64(out, ftsan_memory_offset(memory));
	}
	ftsan_buf_str(out, " of a ");
	ftsan_buf_str(out, type);
}

static void describe_static(const struct ftsan_memory *memory, struct ftsan_buf *out)
{
	char name[FTSAN_SYMBOL_MAX];
	uint64_t into;

	ftsan_buf_str(out, "static ");
	if (ftsan_symbol_object(memory->address, name, &into) == 0) {
		ftsan_buf_str(out, name);
		if (into != 0) {
			ftsan_buf_char(out, '+');
			ftsan_buf_u64(out, into);
		}
		ftsan_buf_str(out, " (");
	}
	ftsan_buf_str(out, ftsan_str_base_name(memory->module->path));
	ftsan_buf_char(out, '+');
	ftsan_buf_hex(out, ftsan_memory_offset(memory));
	if (name[0] != '\0')
		ftsan_buf_char(out, ')');
}

static void describe_mapping(const struct ftsan_memory *memory, struct ftsan_buf *out)
{
	char name[FTSAN_PATH_MAX];

	if (!ftsan_memory_mapping(memory->address, name, sizeof(name))) {
		ftsan_buf_str(out, "unmapped memory");
	} else if (strcmp(name, "[heap]") == 0) {
		ftsan_buf_str(out, "the heap of libc");
	} else if (name[0] == '\0') {
		ftsan_buf_str(out, "heap memory");
	} else {
		ftsan_buf_str(out, "the mapping of ");
		ftsan_buf_str(out, name[0] == '[' ? name : ftsan_str_base_name(name));
	}
}

void ftsan_memory_describe(const struct ftsan_memory *memory, struct ftsan_buf *out)
{
	switch (memory->kind) {
	case FTSAN_MEMORY_OBJECT:
		describe_object(memory, out);
		return;
	case FTSAN_MEMORY_STATIC:
		describe_static(memory, out);
		return;
	case FTSAN_MEMORY_BLOCK:
		ftsan_buf_str(out, "word +");
		ftsan_buf_u64(out, ftsan_memory_offset(memory));
		ftsan_buf_str(out, " of a block of ");
		ftsan_buf_u64(out, memory->size);
		ftsan_buf_str(out, " bytes from CPython's allocator");
		return;
	case FTSAN_MEMORY_UNKNOWN:
		describe_mapping(memory, out);
	}
}

void ftsan_memory_identity(const struct ftsan_memory *memory, struct ftsan_buf *out)
{
	char name[FTSAN_SYMBOL_MAX];
	uint64_t into;

	if (!ftsan_memory_is_field(memory))
		return;
	if (memory->kind == FTSAN_MEMORY_OBJECT) {
		if (ftsan_memory_type_name(memory->type, name))
			ftsan_buf_str(out, name);
		return;
	}
	if (ftsan_symbol_object(memory->address, name, &into) == 0)
		ftsan_buf_str(out, name);
}

/* --- /proc/self/maps --------------------------------------------------------------- */

static bool parse_hex(const char **text, uintptr_t *value)
{
	const char *at = *text;

	*value = 0;
	for (;; at++) {
		char c = *at;

		if (c >= '0' && c <= '9')
			*value = *value << 4 | (uintptr_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			*value = *value << 4 | (uintptr_t)(c - 'a' + 10);
		else
			break;
	}
	if (at == *text)
		return false;
	*text = at;
	return true;
}

/* in_line() - "begin-end perms offset device inode  path": does it hold the address? */
static bool in_line(const char *line, uintptr_t address, char *name, size_t capacity)
{
	uintptr_t begin, end;
	unsigned spaces = 0;

	if (!parse_hex(&line, &begin) || *line++ != '-' || !parse_hex(&line, &end) ||
	    address < begin || address >= end)
		return false;
	while (*line != '\0' && spaces < 5)
		spaces += *line++ == ' ';
	while (*line == ' ')
		line++;
	if (capacity > 0) {
		size_t length = strlen(line);

		if (length > capacity - 1)
			length = capacity - 1;
		memcpy(name, line, length);
		name[length] = '\0';
	}
	return true;
}

/* search() - line by line; what is read ends in the middle of one. */
static bool search(int fd, uintptr_t address, char *name, size_t capacity)
{
	char text[MAPS_BYTES + 1];
	size_t have = 0;
	ssize_t got;

	while ((got = ftsan_sys_read(fd, text + have, MAPS_BYTES - have)) > 0) {
		char *line = text, *end;

		have += (size_t)got;
		text[have] = '\0';
		while ((end = strchr(line, '\n')) != NULL) {
			*end = '\0';
			if (in_line(line, address, name, capacity))
				return true;
			line = end + 1;
		}
		have -= (size_t)(line - text);
		/* A line that does not fit has no short name, but its addresses count. */
		if (have == MAPS_BYTES)
			have = 0;
		memmove(text, line, have);
	}
	return false;
}

bool ftsan_memory_mapping(uintptr_t address, char *name, size_t capacity_bytes)
{
	int fd = ftsan_sys_open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
	bool found;

	if (capacity_bytes > 0)
		name[0] = '\0';
	if (fd < 0)
		return false;
	found = search(fd, address, name, capacity_bytes);
	(void)ftsan_sys_close(fd);
	return found;
}
