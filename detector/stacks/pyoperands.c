#include "stacks/pyoperands.h"

#include "base/base.h"

/*
 * Include/internal/pycore_frame.h (3.11 to 3.13) and pycore_interpframe_structs.h (3.14,
 * 3.15): localsplus is the last member, 8-byte aligned, right behind `owner`; from 3.14
 * on `stackpointer` follows `instr_ptr`, before that an int `stacktop` does, which holds
 * nothing of use while the frame runs. Include/cpython/code.h, all of these:
 * co_stacksize, co_firstlineno, co_nlocalsplus in a row.
 */
enum {
	WITH_POINTER = 0x030e,
	TAG_BITS = 3,
	OWNER_NO_CODE = 3,
	DEPTH_MAX = 256, /* frames without code included */
	SLOTS_MAX = 1 << 16,
};

static bool code_of(const struct ftsan_pyabi *abi, uintptr_t frame, uintptr_t code_type,
		    uintptr_t *code)
{
	uintptr_t type;
	unsigned char owner;

	if (ftsan_safe_read(&owner, (const void *)(frame + abi->frame_owner), 1) != 0 ||
	    owner >= OWNER_NO_CODE ||
	    !ftsan_safe_ptr(frame + abi->frame_executable, code))
		return false;
	*code &= ~(uintptr_t)TAG_BITS;
	return *code != 0 && ftsan_safe_ptr(*code + abi->ob_type, &type) &&
	       type == code_type;
}

static uintptr_t frame_at(const struct ftsan_pyabi *abi, uintptr_t tstate,
			  uintptr_t code_type, unsigned depth, uintptr_t *code)
{
	uintptr_t frame = ftsan_pyframe_innermost(abi, tstate);

	for (unsigned i = 0; frame != 0 && i < DEPTH_MAX; i++) {
		if (code_of(abi, frame, code_type, code) && depth-- == 0)
			return frame;
		if (!ftsan_safe_ptr(frame + abi->frame_previous, &frame))
			return 0;
	}
	return 0;
}

/* The whole of the stack's room, or up to the stack pointer where there is one. */
static bool bounds(const struct ftsan_pyabi *abi, uintptr_t frame, uintptr_t code,
		   uintptr_t *begin, uintptr_t *end, bool *top_known)
{
	uint32_t locals = (abi->frame_owner + 8) & ~7u;
	int32_t size, n_locals;
	uintptr_t pointer;

	if (!ftsan_safe_i32(code + abi->code_firstlineno - 4, &size) ||
	    !ftsan_safe_i32(code + abi->code_firstlineno + 4, &n_locals) || size < 0 ||
	    n_locals < 0 || size > SLOTS_MAX || n_locals > SLOTS_MAX)
		return false;
	*begin = frame + locals + (uintptr_t)n_locals * 8;
	*end = *begin + (uintptr_t)size * 8;
	*top_known = abi->version >> 16 >= WITH_POINTER;
	if (!*top_known)
		return true;
	if (!ftsan_safe_ptr(frame + abi->frame_instr_ptr + 8, &pointer))
		return false;
	/* It is not kept up to date in all of the loop. */
	if (pointer >= *begin && pointer <= *end)
		*end = pointer;
	else
		*top_known = false;
	return true;
}

bool ftsan_pyoperands(const struct ftsan_pyabi *abi, uintptr_t tstate,
		      uintptr_t code_type, unsigned depth, struct ftsan_operands *out)
{
	uintptr_t code, begin, end, frame;

	out->n = 0;
	out->top_known = false;
	frame = frame_at(abi, tstate, code_type, depth, &code);
	if (frame == 0)
		return false;
	if (!bounds(abi, frame, code, &begin, &end, &out->top_known))
		return true;
	while (end > begin && out->n < FTSAN_OPERANDS_MAX) {
		uintptr_t value;

		end -= 8;
		if (!ftsan_safe_ptr(end, &value))
			break;
		out->value[out->n++] = value & ~(uintptr_t)TAG_BITS;
	}
	return true;
}
