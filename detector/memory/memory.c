#include "memory/memory.h"

#include <stdatomic.h>

#include "base/base.h"
#include "memory/mimalloc.h"

enum {
	PRE_BYTES = 16,	   /* before an object of the heap for types with a dictionary */
	DEBUG_HEAD = 16,   /* of CPython's debug hooks */
	METATYPES_MAX = 3, /* metaclasses of metaclasses are rare */
	BASES_MAX = 16,
	MEMBERS_MAX = 256,
};

/*
 * PyTypeObject behind its PyVarObject head (Include/cpython/object.h, the same from 3.8
 * to 3.15), and PyMemberDef (Include/descrobject.h).
 */
enum { TP_FLAGS = 144, TP_MEMBERS = 216, TP_BASE = 232 };
/* Py_TPFLAGS_TYPE_SUBCLASS: instances of such a type are types. */
static const uint64_t TYPE_SUBCLASS = UINT64_C(1) << 31;
struct member {
	uintptr_t name;
	int32_t type, unused;
	int64_t offset;
	int32_t flags, unused2;
	uintptr_t doc;
};

/* Set once at start. */
static const struct ftsan_pyabi *py;
static uintptr_t type_type;
static bool blocks;
/* What lies in front of each object in its block: see trusted(). */
static _Atomic uint32_t head_bytes;
/* The module that holds CPython; found when it is first asked for. */
static const struct ftsan_module *interpreter;

void ftsan_memory_init(const struct ftsan_pyabi *abi, uintptr_t the_type_type)
{
	py = abi;
	interpreter = NULL;
	type_type = abi->known ? the_type_type : 0;
	blocks = abi->known && abi->free_threaded && ftsan_mimalloc_init(abi->version);
}

const char *ftsan_memory_blocks_name(void)
{
	if (blocks)
		return "mimalloc";
	if (py == NULL || !py->known)
		return "not told: an unknown CPython";
	return py->free_threaded ? "not told: an unknown layout of mimalloc"
				 : "not told: a build with a GIL";
}

/* makes_types() - an instance of any type has the same chain of types as one of a
 * metatype; flags tell them apart. */
static bool makes_types(uintptr_t metatype)
{
	uint64_t flags;

	return ftsan_safe_u64(metatype + py->type_name + TP_FLAGS, &flags) &&
	       (flags & TYPE_SUBCLASS) != 0;
}

bool ftsan_memory_is_type(uintptr_t address)
{
	for (unsigned i = 0; i < METATYPES_MAX; i++) {
		uintptr_t next;

		if (address == type_type)
			return type_type != 0;
		if (type_type == 0 || address % 8 != 0 || address < FTSAN_PAGE ||
		    !ftsan_safe_ptr(address + py->ob_type, &next) || !makes_types(next))
			return false;
		address = next;
	}
	return address == type_type;
}

static bool type_of(uintptr_t object, uintptr_t *type)
{
	return type_type != 0 && object % 8 == 0 && object >= FTSAN_PAGE &&
	       ftsan_safe_ptr(object + py->ob_type, type) && *type != 0 &&
	       ftsan_memory_is_type(*type);
}

static bool is_objects(unsigned tag)
{
	return tag >= FTSAN_TAG_OBJECT && tag <= FTSAN_TAG_GC_PRE;
}

static bool holds_object(const struct ftsan_block *block)
{
	return is_objects(block->tag);
}

static int32_t bytes_before(unsigned tag)
{
	return (tag == FTSAN_TAG_GC_PRE ? PRE_BYTES : 0) +
	       (int32_t)atomic_load_explicit(&head_bytes, memory_order_relaxed);
}

static uintptr_t object_in(const struct ftsan_block *block)
{
	return block->begin + (uintptr_t)bytes_before(block->tag);
}

/*
 * The allocator's cookie is taken from the first block in which a valid object lies. With
 * PYTHONMALLOC=debug two words precede it (Objects/obmalloc.c, _PyMem_DebugRawAlloc()).
 */
static bool trusted(const struct ftsan_block *block)
{
	uintptr_t type;

	if (ftsan_mimalloc_trusts())
		return true;
	if (!holds_object(block))
		return false;
	if (!type_of(object_in(block), &type)) {
		if (!type_of(object_in(block) + DEBUG_HEAD, &type))
			return false;
		atomic_store(&head_bytes, DEBUG_HEAD);
	}
	ftsan_mimalloc_trust(block->key);
	return true;
}

static bool find_block(uintptr_t address, struct ftsan_memory *out)
{
	struct ftsan_block block;

	if (!blocks || !ftsan_mimalloc_block(address, &block) || !trusted(&block))
		return false;
	out->begin = block.begin;
	out->size = block.size;
	out->owner = block.thread;
	out->kind = holds_object(&block) ? FTSAN_MEMORY_OBJECT : FTSAN_MEMORY_BLOCK;
	if (out->kind == FTSAN_MEMORY_OBJECT)
		out->object = object_in(&block);
	return true;
}

void ftsan_memory_look_block(uintptr_t address, struct ftsan_memory *out)
{
	*out = (struct ftsan_memory){.address = address};
	(void)find_block(address, out);
}

struct ftsan_live ftsan_memory_live(uintptr_t begin)
{
	struct ftsan_live live = {.object = -1};
	unsigned tag;

	if (FTSAN_UNLIKELY(!ftsan_mimalloc_live(begin, &live.bytes, &tag)))
		return live;
	if (is_objects(tag))
		live.object = bytes_before(tag);
	return live;
}

/* ob_tid of a free-threaded object is 0 once its reference counts are merged. */
static void look_at_object(struct ftsan_memory *out)
{
	if (!type_of(out->object, &out->type))
		out->type = 0;
	else if (!ftsan_safe_ptr(out->object, &out->owner))
		out->owner = 0;
}

void ftsan_memory_look(uintptr_t address, struct ftsan_memory *out)
{
	ftsan_memory_look_block(address, out);
	if (out->kind == FTSAN_MEMORY_OBJECT)
		look_at_object(out);
	if (out->kind != FTSAN_MEMORY_UNKNOWN)
		return;
	out->module = ftsan_module_of(address);
	if (out->module != NULL)
		out->kind = FTSAN_MEMORY_STATIC;
}

bool ftsan_memory_is_foreign(const struct ftsan_memory *memory)
{
	uintptr_t self = ftsan_tls_word(0);

	switch (memory->kind) {
	case FTSAN_MEMORY_STATIC:
		return true;
	case FTSAN_MEMORY_OBJECT:
		return memory->owner != self;
	case FTSAN_MEMORY_BLOCK:
		return memory->owner != 0 && memory->owner != self;
	default:
		return false;
	}
}

bool ftsan_memory_is_field(const struct ftsan_memory *memory)
{
	if (memory->kind == FTSAN_MEMORY_STATIC)
		return true;
	if (memory->kind != FTSAN_MEMORY_OBJECT || memory->type == 0)
		return false;
	if (interpreter == NULL)
		interpreter = ftsan_module_of(type_type);
	return interpreter == NULL ||
	       memory->type - interpreter->begin >= interpreter->end - interpreter->begin;
}

bool ftsan_memory_is_object(uintptr_t address)
{
	struct ftsan_memory memory;
	uintptr_t type;

	if (!type_of(address, &type))
		return false;
	ftsan_memory_look_block(address, &memory);
	return memory.kind == FTSAN_MEMORY_OBJECT ? memory.object == address
						  : ftsan_module_of(address) != NULL;
}

/* Words of a header that something may point at, from the last one (the type) down. */
static bool looks_like_header(uintptr_t address)
{
	for (uintptr_t object = address & ~(uintptr_t)7;
	     object + py->object_size > address && address - object < py->object_size;
	     object -= 8) {
		uintptr_t type;

		if (type_of(object, &type))
			return true;
	}
	return false;
}

bool ftsan_memory_is_header(const struct ftsan_memory *memory)
{
	if (type_type == 0)
		return false;
	switch (memory->kind) {
	case FTSAN_MEMORY_OBJECT:
		return memory->address - memory->object < py->object_size;
	case FTSAN_MEMORY_BLOCK:
		return false;
	default:
		return looks_like_header(memory->address);
	}
}

uint64_t ftsan_memory_offset(const struct ftsan_memory *memory)
{
	switch (memory->kind) {
	case FTSAN_MEMORY_OBJECT:
		return memory->address - memory->object;
	case FTSAN_MEMORY_BLOCK:
		return memory->address - memory->begin;
	case FTSAN_MEMORY_STATIC:
		return memory->address - memory->module->bias;
	default:
		return 0;
	}
}

bool ftsan_memory_type_name(uintptr_t type, char *name)
{
	uintptr_t text;

	name[0] = '\0';
	return type != 0 && py != NULL && py->known &&
	       ftsan_safe_ptr(type + py->type_name, &text) && text != 0 &&
	       ftsan_safe_string(name, FTSAN_TYPE_NAME, text);
}

/* member_at() - the PyMemberDef of one type that begins at @offset. */
static bool member_at(uintptr_t type, int64_t offset, char *name, size_t capacity)
{
	struct member member;
	uintptr_t at;

	/* tp_name is the first behind the head. */
	if (!ftsan_safe_ptr(type + py->type_name + TP_MEMBERS, &at) || at == 0)
		return false;
	for (unsigned i = 0; i < MEMBERS_MAX; i++, at += sizeof(member)) {
		if (ftsan_safe_read(&member, (const void *)at, sizeof(member)) != 0 ||
		    member.name == 0)
			return false;
		if (member.offset == offset)
			return ftsan_safe_string(name, capacity, member.name);
	}
	return false;
}

bool ftsan_memory_field_name(const struct ftsan_memory *memory, char *name,
			     size_t capacity_bytes)
{
	uintptr_t type = memory->type;
	int64_t offset = (int64_t)ftsan_memory_offset(memory);

	name[0] = '\0';
	if (memory->kind != FTSAN_MEMORY_OBJECT)
		return false;
	for (unsigned i = 0; i < BASES_MAX && type != 0; i++) {
		if (member_at(type, offset, name, capacity_bytes))
			return true;
		if (!ftsan_safe_ptr(type + py->type_name + TP_BASE, &type))
			return false;
	}
	return false;
}
