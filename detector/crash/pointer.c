#include "crash/pointer.h"

#include <stdbool.h>
#include <string.h>

#include "base/base.h"
#include "freed/freed.h"
#include "memory/memory.h"
#include "stacks/stacks.h"

enum { FIELD_MAX = 65536 };

struct pattern {
	unsigned char byte;
	enum ftsan_pointer_kind kind;
	const char *text;
};

/* Include/internal/pycore_pymem.h (_PYMEM_CLEANBYTE and others, 3.8 to 3.15) and
 * mimalloc's types.h (MI_DEBUG_FREED, MI_DEBUG_UNINIT). */
static const struct pattern patterns[] = {
	{0xdd, FTSAN_POINTER_POISON, "what CPython's debug hooks fill freed memory with"},
	{0xdf, FTSAN_POINTER_POISON, "what mimalloc fills freed memory with"},
	{0xcd, FTSAN_POINTER_NO_ADDRESS,
	 "what CPython's debug hooks fill fresh memory with"},
	{0xfd, FTSAN_POINTER_NO_ADDRESS,
	 "what CPython's debug hooks put around a block: a read past its end"},
};

/* A field's offset may have changed the low bytes. */
static const struct pattern *pattern_of(uintptr_t value)
{
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(patterns); i++)
		if (value >> 24 == UINT64_C(0x0101010101) * patterns[i].byte)
			return &patterns[i];
	return NULL;
}

static bool is_text(uintptr_t value)
{
	for (unsigned i = 0; i < 7; i++) {
		unsigned char c = (unsigned char)(value >> i * 8);

		if (c < 0x20 || c > 0x7e)
			return false;
	}
	return true;
}

static void say(struct ftsan_pointer *out, enum ftsan_pointer_kind kind, const char *a,
		const char *b)
{
	struct ftsan_buf buf;

	out->kind = kind;
	ftsan_buf_init(&buf, out->text, sizeof(out->text));
	ftsan_buf_str(&buf, a);
	ftsan_buf_str(&buf, b);
	(void)ftsan_buf_cstr(&buf);
}

static void say_null(struct ftsan_pointer *out, uintptr_t value)
{
	struct ftsan_buf buf;

	out->kind = FTSAN_POINTER_NULL;
	ftsan_buf_init(&buf, out->text, sizeof(out->text));
	ftsan_buf_str(&buf, "NULL");
	if (value != 0) {
		ftsan_buf_str(&buf, " + ");
		ftsan_buf_u64(&buf, value);
	}
	(void)ftsan_buf_cstr(&buf);
}

static void say_no_address(struct ftsan_pointer *out, uintptr_t value)
{
	const struct pattern *pattern = pattern_of(value);

	if (ftsan_freed_is_fill(value))
		say(out, FTSAN_POINTER_POISON,
		    "no address but what ftsan fills freed memory with", "");
	else if (pattern != NULL)
		say(out, pattern->kind, "no address but ", pattern->text);
	else if (is_text(value))
		say(out, FTSAN_POINTER_NO_ADDRESS, "no address but text", "");
	else
		say(out, FTSAN_POINTER_NO_ADDRESS,
		    "no address that the processor accepts", "");
}

/* A block or an object of the interpreter's; false: it is neither. */
static bool say_block(struct ftsan_pointer *out, uintptr_t value)
{
	struct ftsan_memory memory;
	struct ftsan_buf buf;

	ftsan_memory_look(value, &memory);
	if (memory.kind != FTSAN_MEMORY_BLOCK && memory.kind != FTSAN_MEMORY_OBJECT)
		return false;
	out->kind = FTSAN_POINTER_BLOCK;
	ftsan_buf_init(&buf, out->text, sizeof(out->text));
	ftsan_memory_describe(&memory, &buf);
	(void)ftsan_buf_cstr(&buf);
	return true;
}

static void say_mapped(struct ftsan_pointer *out, const struct ftsan_map_entry *mapping,
		       uintptr_t sp)
{
	if (sp - mapping->begin < mapping->end - mapping->begin ||
	    strcmp(mapping->name, "[stack]") == 0)
		say(out, FTSAN_POINTER_STACK, "an address in a stack", "");
	else if (mapping->name[0] == '/')
		say(out, FTSAN_POINTER_STATIC,
		    mapping->access[1] == 'w'	? "a variable of "
		    : mapping->access[2] == 'x' ? "code of "
						: "a constant of ",
		    ftsan_str_base_name(mapping->name));
	else if (mapping->access[0] != 'r')
		say(out, FTSAN_POINTER_UNMAPPED, "an address in memory without access",
		    "");
	else
		say(out, FTSAN_POINTER_MAPPED,
		    mapping->access[1] == 'w'
			    ? "an address in the heap or other memory"
			    : "an address in memory that may be read only",
		    "");
}

void ftsan_pointer_explain(struct ftsan_pointer *out, uintptr_t value, uintptr_t sp)
{
	struct ftsan_map_entry mapping;

	if (value < FIELD_MAX || -value < FIELD_MAX)
		say_null(out, value < FIELD_MAX ? value : 0);
	else if (!ftsan_cpu_is_canonical(value) || pattern_of(value) != NULL)
		say_no_address(out, value);
	else if (!ftsan_map_find(value, false, &mapping))
		say(out, FTSAN_POINTER_UNMAPPED, "an address that nothing is mapped at",
		    "");
	else if (!say_block(out, value))
		say_mapped(out, &mapping, sp);
}
