#include "stacks/pyabi.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "stacks/pyabi_words.h"

#define COOKIE "xdebugpy"
enum {
	WORD_COOKIE,
	WORD_VERSION,
	WORD_FREE_THREADED,
	WORDS_HEAD,
};

/* The minor releases that have a table below, as PY_VERSION_HEX >> 16. */
#define OLDEST 0x030bu
#define NEWEST 0x030fu

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

static int refuse(struct ftsan_pyabi *abi, const char *why)
{
	abi->refusal = why;
	return -ENOTSUP;
}

static int refuse_version(struct ftsan_pyabi *abi, uint32_t version)
{
	if (version == 0)
		return refuse(abi, "it does not tell its version");
	if (version >> 16 < OLDEST)
		return refuse(abi, "a release of CPython older than ftsan knows");
	if (version >> 16 > NEWEST)
		return refuse(abi, "a release of CPython newer than this ftsan knows");
	if ((version >> 4 & 0xf) < FTSAN_LEVEL_CANDIDATE)
		return refuse(abi, "an alpha or beta of CPython: their layouts differ "
				   "among themselves; a release candidate or a final "
				   "release is needed");
	return refuse(abi, "a build of CPython without the table of its layouts");
}

static int from_hint(struct ftsan_pyabi *abi, uint32_t version)
{
	if ((version >> 4 & 0xf) < FTSAN_LEVEL_CANDIDATE)
		return refuse_version(abi, version);
	switch (version >> 16) {
	case 0x030b:
		return use_builtin(abi, &abi_3_11, version);
	case 0x030c:
		return use_builtin(abi, &abi_3_12, version);
	default:
		return refuse_version(abi, version);
	}
}

static void fill_state(struct ftsan_pyabi *abi, const uint64_t *value,
		       const struct ftsan_words *at)
{
	abi->runtime_interpreters = (uint32_t)value[at->interpreters];
	/* Include/internal/pycore_runtime.h, _main_interpreter. */
	abi->runtime_main =
		(uint32_t)(value[at->runtime_size] - value[at->interpreter_size]);
	abi->interpreter_next = (uint32_t)value[at->next];
	abi->interpreter_gil = (uint32_t)(value[at->gil] + value[at->gil_enabled]);
}

static void fill(struct ftsan_pyabi *abi, const uint64_t *value,
		 const struct ftsan_words *at)
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
	/* Before 3.15: PyUnicodeObject is PyCompactUnicodeObject and one pointer. */
	abi->unicode_compact_size = at->compact_size != 0
					    ? (uint32_t)value[at->compact_size]
					    : (uint32_t)value[at->unicode_size] - 8;
	abi->bytes_size = (uint32_t)value[at->bytes_length];
	abi->bytes_data = (uint32_t)value[at->bytes_data];
	abi->type_name = (uint32_t)value[at->tp_name];
	if (abi->free_threaded && at->tlbc != 0) {
		abi->frame_tlbc_index = (uint32_t)value[at->tlbc_index];
		abi->code_tlbc = (uint32_t)value[at->tlbc];
	}
	/* Include/cpython/code.h, 3.13 to 3.15: int _co_firsttraceable, padding,
	 * void *co_extra, (3.14t on) co_tlbc, co_code_adaptive. */
	abi->code_firsttraceable =
		(abi->code_tlbc != 0 ? abi->code_tlbc : abi->code_adaptive) - 16;
	set_span(abi);
}

int ftsan_pyabi_read(struct ftsan_pyabi *abi, const void *runtime, uint32_t version_hint)
{
	uint64_t value[FTSAN_WORDS_MAX];
	const struct ftsan_words *at;

	memset(abi, 0, sizeof(*abi));
	if (runtime == NULL || ftsan_safe_read(value, runtime, WORDS_HEAD * 8) != 0 ||
	    memcmp(&value[WORD_COOKIE], COOKIE, 8) != 0)
		return from_hint(abi, version_hint);
	abi->runtime = (uintptr_t)runtime;
	abi->version = (uint32_t)value[WORD_VERSION];
	abi->free_threaded = value[WORD_FREE_THREADED] == 1;
	at = ftsan_words_of(abi->version);
	if (at == NULL)
		return refuse_version(abi, abi->version);
	if (ftsan_safe_read(value, runtime, at->count * 8u) != 0 ||
	    !ftsan_words_sound(value, at, abi->free_threaded))
		return refuse(abi, "the layouts that this build of CPython states "
				   "contradict each other");
	fill(abi, value, at);
	fill_state(abi, value, at);
	abi->known = true;
	return 0;
}
