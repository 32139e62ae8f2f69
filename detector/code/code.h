/*
 * The room of code objects: what PyFrame_New() is about to be given, looked at before
 * CPython dereferences it. Call path and the fields that it reads: Objects/frameobject.c
 * and Objects/funcobject.c of 3.13.5 (_PyFunction_FromConstructor, _PyFrame_Initialize);
 * co_tlbc from 3.14.
 *
 * May use: base, stacks.
 * Held: nothing.
 */
#ifndef FTSAN_CODE_CHECK_H
#define FTSAN_CODE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks/stacks.h"

/* What can be wrong, worst first. */
enum ftsan_frame_fault {
	FTSAN_FRAME_GOOD,
	FTSAN_FRAME_CODE_NULL,
	FTSAN_FRAME_CODE_UNREADABLE,
	FTSAN_FRAME_CODE_NOT_CODE,
	FTSAN_FRAME_CODE_DEAD,
	FTSAN_FRAME_CODE_NO_NAME,
	FTSAN_FRAME_CODE_ODD_NAME,
	FTSAN_FRAME_CODE_NO_FILENAME,
	FTSAN_FRAME_CODE_NO_BYTECODE,
	FTSAN_FRAME_GLOBALS_NULL,
	FTSAN_FRAME_TSTATE_NULL,
	FTSAN_FRAME_TSTATE_FOREIGN,
	FTSAN_FRAME_FAULTS,
};

/**
 * struct ftsan_frame_facts - what was read of the arguments
 * @code_null, @globals_null, @tstate_null: as they say
 * @tstate_foreign: not the calling thread's
 * @readable:  the object's fields could be read
 * @is_code:   its type is PyCode_Type
 * @references: its reference count, both halves; at least 1 while alive. An immortal
 *             object counts as 1
 * @has_name, @has_filename: the field holds a str
 * @name_null: it holds nothing, which CPython does not survive
 * @has_bytecode: 3.14 free-threaded: co_tlbc is there
 */
struct ftsan_frame_facts {
	bool code_null, globals_null, tstate_null, tstate_foreign;
	bool readable;
	bool is_code;
	int64_t references;
	bool has_name, has_filename, has_bytecode;
	bool name_null;
};

/* Pure: the worst fault. */
enum ftsan_frame_fault ftsan_rule_frame(const struct ftsan_frame_facts *facts);

/* Does CPython fail on it, rather than get by? (@version: PY_VERSION_HEX) Pure. */
bool ftsan_rule_frame_fatal(enum ftsan_frame_fault fault, uint32_t version);

/* A sentence fragment for a report. Pure. */
const char *ftsan_frame_fault_text(enum ftsan_frame_fault fault);

/**
 * ftsan_code_read() - fill in the facts about a code object
 * @code:      any value
 * @code_type, @unicode_type: &PyCode_Type, &PyUnicode_Type
 *
 * Context: any; reads by ftsan_safe_read() only.
 */
void ftsan_code_read(const struct ftsan_pyabi *abi, uintptr_t code, uintptr_t code_type,
		     uintptr_t unicode_type, struct ftsan_frame_facts *facts);

/* The first part of it, the object's header; false when there is nothing more to read. */
bool ftsan_code_read_head(const struct ftsan_pyabi *abi, uintptr_t code,
			  uintptr_t code_type, struct ftsan_frame_facts *facts);

/* The reference count that a free-threaded object header stands for (3.13.5,
 * Include/object.h): ob_ref_local and the shifted ob_ref_shared. Pure. */
int64_t ftsan_references_free_threaded(uint32_t local, int64_t shared);

#endif
