#include "memory/memory.h"

#include <string.h>

#include "base/base.h"

enum { FIELD_NAME = 40 };

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
	struct ftsan_map_entry entry;
	const char *name = entry.name;

	if (!ftsan_map_find(memory->address, false, &entry)) {
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
