#include <string.h>

#include "base/base.h"
#include "stacks/linetable.h"
#include "stacks/pyabi.h"
#include "stacks/pytext.h"

/* Largest supported: 3.14t and 3.15t, 88 and 240 bytes. */
#define FRAME_SPAN_MAX 128u
#define CODE_SPAN_MAX 320u
/* FRAME_OWNED_BY_CSTACK (3.12, 3.13) and FRAME_OWNED_BY_INTERPRETER (3.14 on) are 3 and
 * mark where C entered the evaluation loop; larger owners have no code either. In 3.15
 * the outermost frame of a thread state is one of these, and never goes.
 * Include/internal/pycore_frame.h, enum _frameowner; pycore_interpframe_structs.h. */
#define OWNER_NO_CODE 3
/* _PyStackRef, 3.14: Include/internal/pycore_stackref.h, Py_TAG_BITS. Objects are
 * aligned to 16 bytes, so masking is right for untagged pointers too. */
#define TAG_BITS 3u
/* Of a code object and of its location table; larger ones are garbage. */
#define UNITS_MAX (1u << 26)
#define TABLE_MAX_BYTES (1u << 24)
#define PIECE_BYTES 512u
/* Frames without code between the frames we show (each may have one, or two). */
#define HIDDEN_PER_FRAME 2u

struct raw_frame {
	uintptr_t previous;
	uintptr_t code;
	uintptr_t instr;
	int32_t tlbc_index;
	unsigned char owner;
	bool is_entry;
};

struct raw_code {
	uintptr_t self;
	uintptr_t filename, name, qualname, linetable, tlbc;
	uint64_t units; /* code units of two bytes */
	int32_t first_line, first_traceable;
};

static uintptr_t pointer_at(const unsigned char *bytes, uint32_t offset)
{
	uintptr_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

static int32_t int_at(const unsigned char *bytes, uint32_t offset)
{
	int32_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

static bool read_frame(const struct ftsan_pyabi *abi, uintptr_t at,
		       struct raw_frame *frame)
{
	unsigned char bytes[FRAME_SPAN_MAX];

	if (abi->frame_span > sizeof(bytes) ||
	    ftsan_safe_read(bytes, (const void *)at, abi->frame_span) != 0)
		return false;
	frame->previous = pointer_at(bytes, abi->frame_previous);
	frame->code = pointer_at(bytes, abi->frame_executable) & ~(uintptr_t)TAG_BITS;
	frame->instr = pointer_at(bytes, abi->frame_instr_ptr);
	frame->owner = bytes[abi->frame_owner];
	frame->tlbc_index =
		abi->frame_tlbc_index != 0 ? int_at(bytes, abi->frame_tlbc_index) : 0;
	frame->is_entry = abi->frame_is_entry != 0 && bytes[abi->frame_is_entry] != 0;
	return true;
}

static bool read_code(const struct ftsan_pyabi *abi, uintptr_t at, uintptr_t code_type,
		      struct raw_code *code)
{
	unsigned char bytes[CODE_SPAN_MAX];

	/* Every member we want lies before the bytecode. */
	if (at == 0 || abi->code_adaptive > sizeof(bytes) ||
	    ftsan_safe_read(bytes, (const void *)at, abi->code_adaptive) != 0 ||
	    pointer_at(bytes, abi->ob_type) != code_type)
		return false;
	code->self = at;
	code->filename = pointer_at(bytes, abi->code_filename);
	code->name = pointer_at(bytes, abi->code_name);
	code->qualname = pointer_at(bytes, abi->code_qualname);
	code->linetable = pointer_at(bytes, abi->code_linetable);
	code->tlbc = abi->code_tlbc != 0 ? pointer_at(bytes, abi->code_tlbc) : 0;
	/* PyVarObject.ob_size follows the object head. */
	code->units = pointer_at(bytes, abi->object_size);
	code->first_line = int_at(bytes, abi->code_firstlineno);
	code->first_traceable = int_at(bytes, abi->code_firsttraceable);
	return code->units <= UNITS_MAX;
}

/*
 * The interpreter's own helpers have a code object that is never traceable: the frame
 * of _Py_InitCleanup below a specialised __init__ (Python/specialize.c, 3.12 and later).
 * CPython's own stack walkers skip it as incomplete.
 */
static bool is_helper(const struct raw_code *code)
{
	return code->first_traceable >= 0 &&
	       (uint64_t)code->first_traceable >= code->units;
}

/* bytecode_of() - where the instructions that the frame executes begin; 0: unknown */
static uintptr_t bytecode_of(const struct ftsan_pyabi *abi, const struct raw_code *code,
			     int32_t tlbc_index)
{
	uintptr_t copies[1], start;

	if (code->tlbc == 0)
		return code->self + abi->code_adaptive;
	/* struct _PyCodeArray, 3.14t: Include/cpython/code.h: size, entries[]. */
	if (!ftsan_safe_ptr(code->tlbc, &copies[0]) || tlbc_index < 0 ||
	    (uintptr_t)tlbc_index >= copies[0] ||
	    !ftsan_safe_ptr(code->tlbc + 8 + (uintptr_t)tlbc_index * 8, &start))
		return 0;
	return start;
}

static int32_t scan_table(uintptr_t table, uint32_t size_bytes, int32_t first_line,
			  uint32_t offset)
{
	struct ftsan_line_scan scan = {.target = offset, .line = first_line};
	unsigned char piece[PIECE_BYTES];
	uint32_t at = 0;

	while (at < size_bytes && !scan.found && !scan.broken) {
		uint32_t left = size_bytes - at;
		uint32_t count = left < sizeof(piece) ? left : (uint32_t)sizeof(piece);
		uint32_t used;

		if (ftsan_safe_read(piece, (const void *)(table + at), count) != 0)
			return 0;
		used = ftsan_line_scan(&scan, piece, count, count == left);
		if (used == 0)
			return 0;
		at += used;
	}
	return scan.found ? scan.answer : 0;
}

/*
 * As PyFrame_GetLineNumber() does it: the offset is that of instr_ptr (3.13, 3.14: the
 * instruction being executed; 3.11, 3.12: prev_instr, which is that one too) without
 * any correction (_PyInterpreterFrame_LASTI), and the first line where it is negative,
 * before the first instruction (Objects/codeobject.c, PyCode_Addr2Line).
 */
static int32_t line_of(const struct ftsan_pyabi *abi, const struct raw_code *code,
		       uintptr_t instr, int32_t tlbc_index)
{
	uintptr_t start = bytecode_of(abi, code, tlbc_index);
	int64_t offset = (int64_t)(instr - start);
	uint64_t size;

	if (start == 0)
		return 0;
	if (offset == -2)
		return code->first_line;
	if (offset < 0 || (uint64_t)offset >= code->units * 2)
		return 0;
	if (code->linetable == 0 ||
	    !ftsan_safe_u64(code->linetable + abi->bytes_size, &size) ||
	    size > TABLE_MAX_BYTES)
		return 0;
	return scan_table(code->linetable + abi->bytes_data, (uint32_t)size,
			  code->first_line, (uint32_t)offset);
}

static void resolve(const struct ftsan_pyabi *abi, const struct raw_code *code,
		    uintptr_t instr, int32_t tlbc_index, struct ftsan_pyframe *out)
{
	(void)ftsan_pytext_read(abi, code->filename, out->file, sizeof(out->file), true);
	if (!ftsan_pytext_read(abi, code->qualname, out->function, sizeof(out->function),
			       false))
		(void)ftsan_pytext_read(abi, code->name, out->function,
					sizeof(out->function), false);
	out->line = line_of(abi, code, instr, tlbc_index);
	out->entry = false;
}

bool ftsan_pyframe_resolve(const struct ftsan_pyabi *abi, uintptr_t code, uintptr_t instr,
			   int32_t tlbc_index, uintptr_t code_type,
			   struct ftsan_pyframe *out)
{
	struct raw_code raw;

	if (!abi->known || !read_code(abi, code, code_type, &raw))
		return false;
	resolve(abi, &raw, instr, tlbc_index, out);
	return true;
}

uintptr_t ftsan_pyframe_innermost(const struct ftsan_pyabi *abi, uintptr_t tstate)
{
	uintptr_t frame;

	if (!abi->known || tstate == 0)
		return 0;
	if (abi->tstate_cframe != 0 &&
	    !ftsan_safe_ptr(tstate + abi->tstate_cframe, &tstate))
		return 0;
	return ftsan_safe_ptr(tstate + abi->tstate_current_frame, &frame) ? frame : 0;
}

unsigned ftsan_pyframes_walk(const struct ftsan_pyabi *abi, uintptr_t tstate,
			     uintptr_t code_type, struct ftsan_pyframe *out, unsigned max,
			     bool *more)
{
	unsigned steps = (max + 1) * (HIDDEN_PER_FRAME + 1), count = 0;
	struct raw_frame frame;
	struct raw_code code;
	uintptr_t at;

	*more = false;
	if (!abi->known)
		return 0;
	for (at = ftsan_pyframe_innermost(abi, tstate); at != 0; at = frame.previous) {
		/* The list may be a ring if what we read is not what we think. */
		if (steps-- == 0 || !read_frame(abi, at, &frame))
			break;
		if (frame.owner >= OWNER_NO_CODE) {
			if (count > 0)
				out[count - 1].entry = true;
			continue;
		}
		if (!read_code(abi, frame.code, code_type, &code))
			break;
		if (is_helper(&code))
			continue;
		if (count == max) {
			*more = true;
			break;
		}
		resolve(abi, &code, frame.instr, frame.tlbc_index, &out[count]);
		out[count++].entry = frame.is_entry;
	}
	return count;
}
