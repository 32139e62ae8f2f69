#include "stacks/pyquick.h"

#include <string.h>

#include "base/base.h"
#include "stacks/alloc_site.h"
#include "stacks/pyabi.h"
#include "stacks/pytext.h"

/* As in pyframes.c. */
#define FRAME_SPAN_MAX 128u
#define OWNER_NO_CODE 3
#define TAG_BITS 3u

/* Imports of imports go deep; a longer list is no list. */
#define DEPTH_MAX 2000u

struct frame {
	uintptr_t previous;
	uintptr_t code;
	bool has_code;
};

static bool read_frame(const struct ftsan_pyabi *abi, uintptr_t at, struct frame *frame)
{
	unsigned char bytes[FRAME_SPAN_MAX];

	if (abi->frame_span > sizeof(bytes) ||
	    ftsan_safe_read(bytes, (const void *)at, abi->frame_span) != 0)
		return false;
	memcpy(&frame->previous, bytes + abi->frame_previous, sizeof(uintptr_t));
	memcpy(&frame->code, bytes + abi->frame_executable, sizeof(uintptr_t));
	frame->code &= ~(uintptr_t)TAG_BITS;
	frame->has_code = bytes[abi->frame_owner] < OWNER_NO_CODE;
	return true;
}

/* Up to 3.11 the current state is that of whoever holds the GIL. */
static bool is_own(const struct ftsan_pyabi *abi, uintptr_t tstate)
{
	uintptr_t id;

	if (tstate == 0)
		return false;
	return !abi->known || (ftsan_safe_ptr(tstate + abi->tstate_thread_id, &id) &&
			       id == ftsan_tls_self());
}

uintptr_t ftsan_pyquick_state(const struct ftsan_pyabi *abi, void *(*get)(void),
			      void *(*kept)(void), bool *attached)
{
	uintptr_t tstate = get != NULL ? (uintptr_t)get() : 0;

	*attached = is_own(abi, tstate);
	if (*attached)
		return tstate;
	return kept != NULL ? (uintptr_t)kept() : 0;
}

bool ftsan_pyquick_attached(void)
{
	bool attached;

	(void)ftsan_pyquick_state(&ftsan_abi, ftsan_tstate_get, NULL, &attached);
	return attached;
}

bool ftsan_pyquick_detached(void)
{
	bool attached;
	/* A thread without a state is one of C, or of a process that ends. */
	uintptr_t tstate = ftsan_pyquick_state(&ftsan_abi, ftsan_tstate_get,
					       ftsan_tstate_kept, &attached);

	return ftsan_tstate_get != NULL && !attached && tstate != 0;
}

/* Lib/importlib/_bootstrap.py is frozen; its code has this for a file. */
static bool is_bootstrap(const struct ftsan_pyabi *abi, uintptr_t code)
{
	static const char name[] = "<frozen importlib._bootstrap>";
	char text[sizeof(name) - 1];
	uint64_t length;
	uintptr_t file;

	return ftsan_safe_ptr(code + abi->code_filename, &file) &&
	       ftsan_safe_u64(file + abi->unicode_length, &length) &&
	       length == sizeof(name) - 1 &&
	       ftsan_safe_read(text, (const void *)(file + abi->unicode_ascii_size),
			       sizeof(text)) == 0 &&
	       memcmp(text, name, sizeof(text)) == 0;
}

bool ftsan_pyquick_importing(const struct ftsan_pyabi *abi, uintptr_t tstate)
{
	uintptr_t at = ftsan_pyframe_innermost(abi, tstate);
	struct frame frame;

	for (unsigned i = 0; at != 0 && i < DEPTH_MAX; i++, at = frame.previous) {
		if (!read_frame(abi, at, &frame))
			return false;
		if (frame.has_code && is_bootstrap(abi, frame.code))
			return true;
	}
	return false;
}

unsigned ftsan_pyquick_codes(const struct ftsan_pyabi *abi, uintptr_t tstate,
			     uintptr_t *codes, unsigned max)
{
	uintptr_t at = ftsan_pyframe_innermost(abi, tstate);
	unsigned n = 0;
	struct frame frame;

	for (unsigned i = 0; at != 0 && n < max && i < 4 * max;
	     i++, at = frame.previous) {
		if (!read_frame(abi, at, &frame))
			break;
		if (frame.has_code)
			codes[n++] = frame.code;
	}
	return n;
}

bool ftsan_pyquick_file(const struct ftsan_pyabi *abi, uintptr_t code,
			uintptr_t code_type, char *file, size_t capacity_bytes)
{
	uintptr_t type, name;

	return abi->known && ftsan_safe_ptr(code + abi->ob_type, &type) &&
	       type == code_type && ftsan_safe_ptr(code + abi->code_filename, &name) &&
	       ftsan_pytext_read(abi, name, file, capacity_bytes, true);
}
