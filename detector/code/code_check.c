#include "code/code.h"

#include <string.h>

#include "base/base.h"

/* Free-threaded object header (Include/object.h, 3.13.5). */
enum { REF_LOCAL = 12, REF_SHARED = 16, SHARED_SHIFT = 2, SHARED_FLAGS = 3, MERGED = 3 };

enum ftsan_frame_fault ftsan_rule_frame(const struct ftsan_frame_facts *facts)
{
	if (facts->code_null)
		return FTSAN_FRAME_CODE_NULL;
	if (!facts->readable)
		return FTSAN_FRAME_CODE_UNREADABLE;
	if (!facts->is_code)
		return FTSAN_FRAME_CODE_NOT_CODE;
	if (facts->references < 1)
		return FTSAN_FRAME_CODE_DEAD;
	if (!facts->has_name)
		return facts->name_null ? FTSAN_FRAME_CODE_NO_NAME
					: FTSAN_FRAME_CODE_ODD_NAME;
	if (!facts->has_filename)
		return FTSAN_FRAME_CODE_NO_FILENAME;
	if (!facts->has_bytecode)
		return FTSAN_FRAME_CODE_NO_BYTECODE;
	if (facts->globals_null)
		return FTSAN_FRAME_GLOBALS_NULL;
	if (facts->tstate_null)
		return FTSAN_FRAME_TSTATE_NULL;
	return facts->tstate_foreign ? FTSAN_FRAME_TSTATE_FOREIGN : FTSAN_FRAME_GOOD;
}

bool ftsan_rule_frame_fatal(enum ftsan_frame_fault fault, uint32_t version)
{
	switch (fault) {
	case FTSAN_FRAME_GOOD:
	case FTSAN_FRAME_TSTATE_FOREIGN:
	case FTSAN_FRAME_CODE_ODD_NAME:	   /* copied, not looked at */
	case FTSAN_FRAME_CODE_NO_FILENAME: /* read when a traceback is printed */
		return false;
	case FTSAN_FRAME_TSTATE_NULL:
		/* Up to 3.13 it is read only where globals have no __builtins__. */
		return version >= 0x030e0000;
	default:
		return true;
	}
}

const char *ftsan_frame_fault_text(enum ftsan_frame_fault fault)
{
	static const char *const texts[FTSAN_FRAME_FAULTS] = {
		[FTSAN_FRAME_GOOD] = "nothing",
		[FTSAN_FRAME_CODE_NULL] = "the code object is NULL",
		[FTSAN_FRAME_CODE_UNREADABLE] = "the code object's memory is not there",
		[FTSAN_FRAME_CODE_NOT_CODE] = ("the code argument is not a code object "
					       "(freed and reused memory?)"),
		[FTSAN_FRAME_CODE_DEAD] =
			"the code object is dead by its reference count",
		[FTSAN_FRAME_CODE_NO_NAME] =
			"the code object is half-initialised: co_name is NULL",
		[FTSAN_FRAME_CODE_ODD_NAME] =
			"the code object is half-initialised: co_name is no str",
		[FTSAN_FRAME_CODE_NO_FILENAME] =
			"the code object is half-initialised: co_filename is no str",
		[FTSAN_FRAME_CODE_NO_BYTECODE] =
			"the code object is half-initialised: co_tlbc is NULL",
		[FTSAN_FRAME_GLOBALS_NULL] = "globals is NULL",
		[FTSAN_FRAME_TSTATE_NULL] = "the thread state is NULL",
		[FTSAN_FRAME_TSTATE_FOREIGN] =
			"the thread state is not the calling thread's",
	};

	return texts[fault];
}

int64_t ftsan_references_free_threaded(uint32_t local, int64_t shared)
{
	if (local == UINT32_MAX)
		return 1; /* immortal */
	if ((shared & SHARED_FLAGS) == MERGED)
		return shared >> SHARED_SHIFT;
	return (int64_t)local + (shared >> SHARED_SHIFT);
}

enum { HEAD_MAX = 32 };

/* references() - out of an object's header. */
static int64_t references(const struct ftsan_pyabi *abi, const unsigned char *head)
{
	uint32_t local;
	int64_t shared;

	if (!abi->free_threaded) {
		/* The low half: 3.12 made it the count, with the upper bits for
		 * immortality. */
		memcpy(&local, head, sizeof(local));
		return local == 0 ? 0 : 1;
	}
	memcpy(&local, head + REF_LOCAL, sizeof(local));
	memcpy(&shared, head + REF_SHARED, sizeof(shared));
	return ftsan_references_free_threaded(local, shared);
}

static bool holds_str(const struct ftsan_pyabi *abi, uintptr_t field,
		      uintptr_t unicode_type)
{
	uintptr_t value, type;

	return ftsan_safe_ptr(field, &value) && value != 0 &&
	       ftsan_safe_ptr(value + abi->ob_type, &type) && type == unicode_type;
}

bool ftsan_code_read_head(const struct ftsan_pyabi *abi, uintptr_t code,
			  uintptr_t code_type, struct ftsan_frame_facts *facts)
{
	unsigned char head[HEAD_MAX];
	uintptr_t type = 0;

	facts->code_null = code == 0;
	/* One read for the header: this is on the way of every exception. */
	facts->readable =
		code != 0 && abi->object_size <= sizeof(head) &&
		ftsan_safe_read(head, (const void *)code, abi->object_size) == 0;
	if (!facts->readable)
		return false;
	memcpy(&type, head + abi->ob_type, sizeof(type));
	facts->references = references(abi, head);
	facts->is_code = type == code_type;
	return facts->is_code;
}

void ftsan_code_read(const struct ftsan_pyabi *abi, uintptr_t code, uintptr_t code_type,
		     uintptr_t unicode_type, struct ftsan_frame_facts *facts)
{
	uintptr_t tlbc, name;

	if (!ftsan_code_read_head(abi, code, code_type, facts))
		return;
	facts->name_null = !ftsan_safe_ptr(code + abi->code_name, &name) || name == 0;
	facts->has_name = holds_str(abi, code + abi->code_name, unicode_type);
	facts->has_filename = holds_str(abi, code + abi->code_filename, unicode_type);
	facts->has_bytecode = abi->code_tlbc == 0 ||
			      (ftsan_safe_ptr(code + abi->code_tlbc, &tlbc) && tlbc != 0);
}
