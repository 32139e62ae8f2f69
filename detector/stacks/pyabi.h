/*
 * CPython's memory layouts, taken from the running interpreter itself: the first
 * member of the exported _PyRuntime is struct _Py_DebugOffsets (3.13:
 * Include/internal/pycore_runtime.h; 3.14 on: Include/internal/pycore_debug_offsets.h).
 * Its fields are guaranteed only within a minor version, so anything but a known
 * version is refused, and nothing that needs a layout is watched then.
 */
#ifndef FTSAN_PYABI_H
#define FTSAN_PYABI_H

#include <stdbool.h>
#include <stdint.h>

#include "stacks/stack.h"

/**
 * struct ftsan_pyabi - layouts of one interpreter
 * @known:         the version is supported; otherwise only @version and @free_threaded
 *                 (when the cookie was right) mean anything
 * @refusal:       why it isn't @known, in words (static text); NULL when it is
 * @version:       PY_VERSION_HEX, 0 when the cookie is missing
 * @free_threaded: the build has no GIL by default
 * @tstate_cframe: 3.11 and 3.12: @tstate_current_frame counts from the _PyCFrame that
 *                 the thread state points to here; 0: from the thread state itself
 * @frame_tlbc_index: 3.14 on, free-threaded; 0 elsewhere, as @code_tlbc
 * @frame_is_entry: 3.11, a flag in the frame; 0: frames with an owner of 3 or more
 *                 (FRAME_OWNED_BY_CSTACK, 3.14: FRAME_OWNED_BY_INTERPRETER) lie between
 * @runtime:       address of _PyRuntime
 * @runtime_interpreters, @runtime_main: in it: the list of interpreters, and the first
 *                 one itself, which is its last member
 * @interpreter_gil: free-threaded: what says whether the GIL is on
 * @frame_span:    bytes of the frame up to the last member we read
 * The offsets are in bytes from the start of the object they name.
 */
struct ftsan_pyabi {
	bool known;
	bool free_threaded;
	const char *refusal;
	uint32_t version;
	uint32_t object_size; /* sizeof(PyObject): 32 free-threaded, 16 otherwise */
	uint32_t ob_type;
	uint32_t tstate_cframe;
	uint32_t tstate_current_frame;
	uint32_t tstate_thread_id;
	uint32_t frame_previous, frame_executable, frame_instr_ptr, frame_owner,
		frame_tlbc_index;
	uint32_t frame_is_entry, frame_span;
	uint32_t code_filename, code_name, code_qualname, code_linetable,
		code_firstlineno;
	uint32_t code_adaptive, code_tlbc, code_firsttraceable;
	uint32_t unicode_state, unicode_length, unicode_ascii_size, unicode_compact_size;
	uint32_t bytes_size, bytes_data;
	uint32_t type_name;
	uintptr_t runtime;
	uint32_t runtime_interpreters, runtime_main;
	uint32_t interpreter_next, interpreter_gil;
};

/**
 * ftsan_pyabi_read() - learn the layouts
 * @abi:     filled
 * @runtime: address of _PyRuntime (readable before main: it is statically initialised)
 *
 * GIL builds of 3.11 and 3.12 have no debug offsets: @version_hint (Py_Version, 0 when
 * unknown) then selects a built-in table, or none. Alphas and betas are refused: their
 * layouts differ among themselves.
 *
 * Context: any; uses ftsan_safe_read() only.
 * Return:  0; -ENOTSUP for an interpreter we don't know (then @abi->known is false).
 */
int ftsan_pyabi_read(struct ftsan_pyabi *abi, const void *runtime, uint32_t version_hint);

enum ftsan_pygil { FTSAN_PYGIL_UNKNOWN, FTSAN_PYGIL_OFF, FTSAN_PYGIL_ON };

/**
 * ftsan_pygil_state() - is the GIL of the first interpreter on?
 * @ended: the interpreter may have ended: then what it was at its end
 *
 * A look into the interpreter itself: options and variables of the environment hide each
 * other, and a module may have switched it on. While a module is imported it is on for
 * that time only, which does not count. Context: async-signal-safe.
 * Return: UNKNOWN before the interpreter has started, and for unknown layouts.
 */
enum ftsan_pygil ftsan_pygil_state(const struct ftsan_pyabi *abi, bool ended);

/* The frame that a thread state is in, of whatever owner; 0: none, or unknown. Reads with
 * ftsan_safe_read() only. */
uintptr_t ftsan_pyframe_innermost(const struct ftsan_pyabi *abi, uintptr_t tstate);

/**
 * ftsan_pyframes_walk() - the Python frames of a thread state
 * @abi:    known layouts
 * @tstate: PyThreadState * of the calling thread, or NULL
 * @code_type: address of PyCode_Type; a frame whose executable is no code object ends
 *             the walk
 * @out:    @max frames
 * @more:   set when there were more
 *
 * Context: async-signal-safe, calling thread's own frames only (another's are moving);
 *          every read is an ftsan_safe_read().
 * Return:  number of frames filled, innermost first.
 */
unsigned ftsan_pyframes_walk(const struct ftsan_pyabi *abi, uintptr_t tstate,
			     uintptr_t code_type, struct ftsan_pyframe *out, unsigned max,
			     bool *more);

/**
 * ftsan_pyframe_resolve() - file, function and line of one code position
 * @code:  PyCodeObject *, validated before use; the entry flag of @out is left false
 * @instr: instruction pointer inside its bytecode (or its thread-local copy)
 * @tlbc_index: 3.14 on, free-threaded: which copy; 0 elsewhere
 *
 * For positions that were noted earlier: the code object may be gone, and then this
 * answers false. Context: as ftsan_pyframes_walk().
 */
bool ftsan_pyframe_resolve(const struct ftsan_pyabi *abi, uintptr_t code, uintptr_t instr,
			   int32_t tlbc_index, uintptr_t code_type,
			   struct ftsan_pyframe *out);

/*
 * ftsan_line_of() - the line of a bytecode offset by PEP 626's location table (pure)
 * @table: co_linetable's bytes
 * @first_line: co_firstlineno
 * @offset: bytes from the start of the bytecode
 * Return: the line, 0 when the table has none for it.
 */
int32_t ftsan_line_of(const unsigned char *table, uint32_t size_bytes, int32_t first_line,
		      uint32_t offset);

#endif
