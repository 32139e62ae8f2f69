#include "stacks/pyabi.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/safe_read.h"

/* struct _Py_DebugOffsets as an array of 64-bit words; all builds of a minor version
 * have the same words, those that don't apply are 0. */
#define WORDS_MAX 96
#define COOKIE "xdebugpy"
enum {
	WORD_COOKIE,
	WORD_VERSION,
	WORD_FREE_THREADED,
	WORDS_HEAD,
};

/* No object we read extends further, so a larger offset is garbage. */
#define OFFSET_MAX 1024u
/* PY_RELEASE_LEVEL_GAMMA, a release candidate (Include/patchlevel.h). */
#define LEVEL_CANDIDATE 0xcu

/* Where the words that we need are (0: not there), and how many have to be read. */
struct words {
	uint8_t count;
	uint8_t current_frame, thread_id;
	uint8_t previous, executable, instr_ptr, owner, tlbc_index;
	uint8_t filename, name, qualname, linetable, firstlineno, adaptive, tlbc;
	uint8_t object_size, ob_type, tp_name;
	uint8_t bytes_size, bytes_data;
	uint8_t unicode_size, unicode_state, unicode_length, ascii_size;
};

/* CPython 3.13.0 and 3.13.5: Include/internal/pycore_runtime.h. */
static const struct words words_3_13 = {
	.count = 71,
	.current_frame = 23,
	.thread_id = 24,
	.previous = 29,
	.executable = 30,
	.instr_ptr = 31,
	.owner = 33,
	.filename = 35,
	.name = 36,
	.qualname = 37,
	.linetable = 38,
	.firstlineno = 39,
	.adaptive = 43,
	.object_size = 44,
	.ob_type = 45,
	.tp_name = 47,
	.bytes_size = 65,
	.bytes_data = 66,
	.unicode_size = 67,
	.unicode_state = 68,
	.unicode_length = 69,
	.ascii_size = 70,
};

/* CPython 3.14.0 and 3.14.5: Include/internal/pycore_debug_offsets.h. */
static const struct words words_3_14 = {
	.count = 81,
	.current_frame = 26,
	.thread_id = 27,
	.previous = 32,
	.executable = 33,
	.instr_ptr = 34,
	.owner = 36,
	.tlbc_index = 38,
	.filename = 40,
	.name = 41,
	.qualname = 42,
	.linetable = 43,
	.firstlineno = 44,
	.adaptive = 48,
	.tlbc = 49,
	.object_size = 50,
	.ob_type = 51,
	.tp_name = 53,
	.bytes_size = 75,
	.bytes_data = 76,
	.unicode_size = 77,
	.unicode_state = 78,
	.unicode_length = 79,
	.ascii_size = 80,
};

/*
 * sizeof and offsetof of CPython 3.11.2 and 3.11.7 on x86-64: Include/cpython/pystate.h
 * (struct _ts, _PyCFrame), Include/internal/pycore_frame.h, Include/cpython/code.h,
 * unicodeobject.h and bytesobject.h, Include/object.h.
 */
static const struct ftsan_pyabi abi_3_11 = {
	.object_size = 16,
	.ob_type = 8,
	.tstate_cframe = 56,
	.tstate_current_frame = 8,
	.tstate_thread_id = 152,
	.frame_previous = 48,
	.frame_executable = 32,
	.frame_instr_ptr = 56,
	.frame_owner = 69,
	.frame_is_entry = 68,
	.code_filename = 112,
	.code_name = 120,
	.code_qualname = 128,
	.code_linetable = 136,
	.code_firstlineno = 72,
	.code_adaptive = 184,
	.code_firsttraceable = 168,
	.unicode_state = 32,
	.unicode_length = 16,
	.unicode_ascii_size = 48,
	.unicode_compact_size = 72,
	.bytes_size = 16,
	.bytes_data = 32,
	.type_name = 24,
};

/* The same of CPython 3.12.1. */
static const struct ftsan_pyabi abi_3_12 = {
	.object_size = 16,
	.ob_type = 8,
	.tstate_cframe = 56,
	.tstate_current_frame = 0,
	.tstate_thread_id = 136,
	.frame_previous = 8,
	.frame_executable = 0,
	.frame_instr_ptr = 56,
	.frame_owner = 70,
	.code_filename = 112,
	.code_name = 120,
	.code_qualname = 128,
	.code_linetable = 136,
	.code_firstlineno = 68,
	.code_adaptive = 192,
	.code_firsttraceable = 176,
	.unicode_state = 32,
	.unicode_length = 16,
	.unicode_ascii_size = 40,
	.unicode_compact_size = 56,
	.bytes_size = 16,
	.bytes_data = 32,
	.type_name = 24,
};

static uint32_t max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void set_span(struct ftsan_pyabi *abi)
{
	uint32_t span = max_u32(abi->frame_previous, abi->frame_executable) + 8;

	span = max_u32(span, abi->frame_instr_ptr + 8);
	span = max_u32(span, abi->frame_tlbc_index + 4);
	span = max_u32(span, abi->frame_is_entry + 1);
	abi->frame_span = max_u32(span, abi->frame_owner + 1);
}

static int use_builtin(struct ftsan_pyabi *abi, const struct ftsan_pyabi *table,
		       uint32_t version)
{
	*abi = *table;
	abi->version = version;
	set_span(abi);
	abi->known = true;
	return 0;
}

static int from_hint(struct ftsan_pyabi *abi, uint32_t version)
{
	if ((version >> 4 & 0xf) < LEVEL_CANDIDATE)
		return -ENOTSUP;
	switch (version >> 16) {
	case 0x030b:
		return use_builtin(abi, &abi_3_11, version);
	case 0x030c:
		return use_builtin(abi, &abi_3_12, version);
	default:
		return -ENOTSUP;
	}
}

static const struct words *words_of(uint32_t version)
{
	if ((version >> 4 & 0xf) < LEVEL_CANDIDATE)
		return NULL;
	switch (version >> 16) {
	case 0x030d:
		return &words_3_13;
	case 0x030e:
		return &words_3_14;
	default:
		return NULL;
	}
}

static void fill(struct ftsan_pyabi *abi, const uint64_t *value, const struct words *at)
{
	abi->object_size = (uint32_t)value[at->object_size];
	abi->ob_type = (uint32_t)value[at->ob_type];
	abi->tstate_current_frame = (uint32_t)value[at->current_frame];
	abi->tstate_thread_id = (uint32_t)value[at->thread_id];
	abi->frame_previous = (uint32_t)value[at->previous];
	abi->frame_executable = (uint32_t)value[at->executable];
	abi->frame_instr_ptr = (uint32_t)value[at->instr_ptr];
	abi->frame_owner = (uint32_t)value[at->owner];
	abi->code_filename = (uint32_t)value[at->filename];
	abi->code_name = (uint32_t)value[at->name];
	abi->code_qualname = (uint32_t)value[at->qualname];
	abi->code_linetable = (uint32_t)value[at->linetable];
	abi->code_firstlineno = (uint32_t)value[at->firstlineno];
	abi->code_adaptive = (uint32_t)value[at->adaptive];
	abi->unicode_state = (uint32_t)value[at->unicode_state];
	abi->unicode_length = (uint32_t)value[at->unicode_length];
	abi->unicode_ascii_size = (uint32_t)value[at->ascii_size];
	/* struct PyUnicodeObject is PyCompactUnicodeObject and one pointer. */
	abi->unicode_compact_size = (uint32_t)value[at->unicode_size] - 8;
	abi->bytes_size = (uint32_t)value[at->bytes_size];
	abi->bytes_data = (uint32_t)value[at->bytes_data];
	abi->type_name = (uint32_t)value[at->tp_name];
	if (abi->free_threaded && at->tlbc != 0) {
		abi->frame_tlbc_index = (uint32_t)value[at->tlbc_index];
		abi->code_tlbc = (uint32_t)value[at->tlbc];
	}
	/* Include/cpython/code.h, 3.13 and 3.14: int _co_firsttraceable, padding,
	 * void *co_extra, (3.14t) co_tlbc, co_code_adaptive. */
	abi->code_firsttraceable =
		(abi->code_tlbc != 0 ? abi->code_tlbc : abi->code_adaptive) - 16;
	set_span(abi);
}

/* plausible() - are the values offsets into such objects at all? */
static bool plausible(const uint64_t *value, const struct words *at, bool free_threaded)
{
	const uint8_t *used = (const uint8_t *)at;

	for (size_t i = offsetof(struct words, current_frame); i < sizeof(*at); i++) {
		if (used[i] != 0 && value[used[i]] >= OFFSET_MAX)
			return false;
	}
	/* Include/object.h: PyObject is 32 bytes free-threaded, 16 otherwise. */
	return value[at->object_size] == (free_threaded ? 32u : 16u) &&
	       value[at->ob_type] < value[at->object_size] &&
	       value[at->current_frame] != 0 &&
	       value[at->previous] != value[at->executable] &&
	       value[at->instr_ptr] != 0 && value[at->owner] != 0 &&
	       value[at->adaptive] > 32 && value[at->linetable] != 0 &&
	       value[at->filename] != 0 && value[at->unicode_size] >= 16 &&
	       value[at->bytes_data] != 0;
}

int ftsan_pyabi_read(struct ftsan_pyabi *abi, const void *runtime, uint32_t version_hint)
{
	uint64_t value[WORDS_MAX];
	const struct words *at;

	memset(abi, 0, sizeof(*abi));
	if (runtime == NULL || ftsan_safe_read(value, runtime, WORDS_HEAD * 8) != 0 ||
	    memcmp(&value[WORD_COOKIE], COOKIE, 8) != 0)
		return from_hint(abi, version_hint);
	abi->version = (uint32_t)value[WORD_VERSION];
	abi->free_threaded = value[WORD_FREE_THREADED] == 1;
	at = words_of(abi->version);
	if (at == NULL || ftsan_safe_read(value, runtime, at->count * 8u) != 0 ||
	    !plausible(value, at, abi->free_threaded))
		return -ENOTSUP;
	fill(abi, value, at);
	abi->known = true;
	return 0;
}
