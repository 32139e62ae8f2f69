/*
 * The room of what memory an address is: a static of a module, a block of CPython's
 * allocator and what object lies in it, or a mapping. For addresses that a program uses,
 * and for ones that it should not have used (a wild pointer, a freed block).
 *
 * CPython's allocator in free-threaded builds is mimalloc, whose segments tell start,
 * size and kind of every block (Include/internal/mimalloc/mimalloc/types.h, 3.13 to
 * 3.15: the offsets are the same). Where the layout is not known, or does not look as
 * expected, blocks are not told and the rest still is.
 *
 * May use: base, stacks.
 * Held: nothing.
 *
 * Context of everything: any thread, async-signal-safe, no allocation; foreign memory is
 * only read by ftsan_safe_read(), so the handler of SIGSEGV must know its fixup.
 */
#ifndef FTSAN_MEMORY_H
#define FTSAN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "stacks/stacks.h"

enum ftsan_memory_kind {
	FTSAN_MEMORY_UNKNOWN, /* libc's heap, a stack, a mapping: ftsan_map_find() */
	FTSAN_MEMORY_STATIC,  /* inside a loaded module */
	FTSAN_MEMORY_BLOCK,   /* a block that CPython's allocator gave for raw data */
	FTSAN_MEMORY_OBJECT,  /* a block that it gave for an object */
};

enum { FTSAN_TYPE_NAME = 64 };

/**
 * struct ftsan_memory - what was found out
 * @address: that was asked for
 * @kind:    decides which of the others mean anything
 * @module:  STATIC: the module; borrowed, never freed
 * @begin, @size: BLOCK and OBJECT: the block. The size is that of its size class
 * @object:  OBJECT: the PyObject in it
 * @owner:   BLOCK and OBJECT: thread that made it, by the address of its descriptor (what
 *           %fs:0 holds there); 0: nobody's, or not known any more
 * @type:    OBJECT: its PyTypeObject; 0: the block holds no valid object (now)
 */
struct ftsan_memory {
	uintptr_t address;
	enum ftsan_memory_kind kind;
	const struct ftsan_module *module;
	uintptr_t begin;
	size_t size;
	uintptr_t object;
	uintptr_t type;
	uintptr_t owner;
};

/*
 * @abi: layouts of this interpreter, borrowed, must stay; @type_type: &PyType_Type.
 * Context: start-up.
 */
void ftsan_memory_init(const struct ftsan_pyabi *abi, uintptr_t type_type);

/* Are blocks told in this interpreter? Else the reason, for the log. */
const char *ftsan_memory_blocks_name(void);

/* Costs some hundred nanoseconds; a look at the modules' table more for what is no block.
 * @out is filled in any case. */
void ftsan_memory_look(uintptr_t address, struct ftsan_memory *out);

/* Only what the allocator says (BLOCK, OBJECT without its type): the cheap half. */
void ftsan_memory_look_block(uintptr_t address, struct ftsan_memory *out);

/**
 * struct ftsan_live - a block that is in use
 * @bytes:  of its size class, 0: not told
 * @object: bytes before the object in it, -1: it is for raw data
 */
struct ftsan_live {
	uint32_t bytes;
	int32_t object;
};

/* Of the first byte of a block that the interpreter's allocator has given and not taken
 * back, in a few loads. Only for who knows that it is one, and is none of the debug
 * hooks'. */
struct ftsan_live ftsan_memory_live(uintptr_t begin);

/* Does a PyObject begin at @address? By the allocator and by its type. */
bool ftsan_memory_is_object(uintptr_t address);

/* Is there a PyTypeObject at @address? Its metatype, three deep at most, must be type,
 * and say that its instances are types. */
bool ftsan_memory_is_type(uintptr_t address);

/*
 * Is the address in the header of an object (reference counts, type, owner, flags), which
 * is CPython's and not an extension's to synchronise? @memory: what ftsan_memory_look()
 * said of it. Static objects are told by the look of them.
 */
bool ftsan_memory_is_header(const struct ftsan_memory *memory);

/*
 * Is it another thread's, or everybody's: a static, an object or block that another
 * thread has made, an object that others hold references to? Of the calling thread.
 */
bool ftsan_memory_is_foreign(const struct ftsan_memory *memory);

/*
 * Bytes from the start of the object, of the block, or of the module to the address;
 * what a report calls the word. UNKNOWN: 0.
 */
uint64_t ftsan_memory_offset(const struct ftsan_memory *memory);

/* "wrapt.ObjectProxy"; @name: FTSAN_TYPE_NAME bytes. False: unreadable. */
bool ftsan_memory_type_name(uintptr_t type, char *name);

/*
 * The name by which the type's PyMemberDefs, or its bases', know the field that holds
 * the address; false: none does.
 */
bool ftsan_memory_field_name(const struct ftsan_memory *memory, char *name,
			     size_t capacity_bytes);

/*
 * A sentence fragment: "field +40 of a wrapt.ObjectProxy", "_multidict...so+0x1d2e0",
 * "64 bytes of raw memory (+16) from CPython's allocator", "the heap of libc".
 */
void ftsan_memory_describe(const struct ftsan_memory *memory, struct ftsan_buf *out);

/*
 * Is the word one by itself, the same in all instances and runs: a static, or a field of
 * a type that is not the interpreter's own (a list's items are as many words as there are
 * lists)? Async-signal-safe and cheap.
 */
bool ftsan_memory_is_field(const struct ftsan_memory *memory);

/*
 * What a field or a static is one of, in words that stay from run to run and build to
 * build: the type "wrapt.ObjectProxy", the variable "mt_rand". Empty where it is neither,
 * or has no name.
 */
void ftsan_memory_identity(const struct ftsan_memory *memory, struct ftsan_buf *out);

#endif
