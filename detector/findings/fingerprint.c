#include "findings/fingerprint.h"

#include <stdbool.h>
#include <string.h>

/* With so many native frames a place is named; else the Python function helps. */
enum { NATIVE_FRAMES = 2 };

/* FNV-1a, 64 bits. */
static uint64_t mix(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
	return (hash ^ 0xff) * 0x100000001b3ull;
}

static const uint64_t SEED = 0xcbf29ce484222325ull;

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static uint64_t mix_native(uint64_t hash, const struct ftsan_view_frame *frame)
{
	char text[24];
	struct ftsan_buf buf;

	if (frame->module != NULL)
		hash = mix(hash, base_name(frame->module));
	if (frame->function != NULL && frame->function[0] != '\0')
		return mix(hash, frame->function);
	ftsan_buf_init(&buf, text, sizeof(text));
	ftsan_buf_hex(&buf, frame->offset);
	return mix(hash, ftsan_buf_cstr(&buf));
}

/*
 * Whatever raised: below this function it is always Cython's cache that is at work, and
 * every caller would make a finding of its own.
 */
static bool ends_side(const struct ftsan_view_frame *frame)
{
	static const char last[] = "__Pyx_AddTraceback";

	return frame->function != NULL &&
	       strncmp(frame->function, last, sizeof(last) - 1) == 0;
}

static uint64_t side(const struct ftsan_view_stack *stack)
{
	uint64_t hash = mix(SEED, stack->role);
	unsigned native = 0;

	for (unsigned i = 0; i < stack->n_frames; i++) {
		const struct ftsan_view_frame *frame = &stack->frames[i];

		if (native == NATIVE_FRAMES)
			break;
		if (frame->python) {
			hash = mix(hash,
				   frame->file == NULL ? "" : base_name(frame->file));
			return mix(hash, frame->function == NULL ? "" : frame->function);
		}
		if (ftsan_view_is_libc(frame))
			continue;
		hash = mix_native(hash, frame);
		if (ends_side(frame))
			break;
		native++;
	}
	return hash;
}

/* "dims[3]" and "dims[0]" are the same thing in different arrays. */
static uint64_t mix_word(uint64_t hash, const char *name)
{
	char text[32];
	size_t length = strcspn(name, "[");

	if (length >= sizeof(text))
		length = sizeof(text) - 1;
	memcpy(text, name, length);
	text[length] = '\0';
	return mix(hash, text);
}

uint64_t ftsan_fingerprint(const struct ftsan_view *view)
{
	uint64_t hash = mix(SEED, view->kind), sides[2] = {0, 0};
	unsigned n = 0;

	if (view->by_object)
		return mix(hash, view->description);
	if (view->name != NULL)
		hash = mix_word(hash, view->name);
	for (unsigned i = 0; i < view->n_stacks && n < 2; i++)
		if (strcmp(view->stacks[i].role, "alloc") != 0)
			sides[n++] = side(&view->stacks[i]);
	/* A sum does not know the order. */
	return hash ^ (sides[0] + sides[1]) * 0x9e3779b97f4a7c15ull;
}
