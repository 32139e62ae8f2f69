#include "findings/group.h"

#include <stdbool.h>
#include <string.h>

#include "base/base.h"

static bool known(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static bool equal(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

static bool begins(const char *text, const char *with)
{
	return text != NULL && strncmp(text, with, strlen(with)) == 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static void copy(char *to, size_t size, const char *from, size_t length)
{
	if (length >= size)
		length = size - 1;
	memcpy(to, from, length);
	to[length] = '\0';
}

/* --- names that last ---------------------------------------------------------- */

static bool is_hash(const char *text, size_t length)
{
	return length == 8 && strspn(text, "0123456789abcdef") >= 8;
}

/* "_mcp.cpython-314t-x86_64-linux-gnu.so", "libopenblas64_p-r0-0cf96a72.3.23.dev.so" and
 * "libpython3.14t.so.1.0" are "_mcp", "libopenblas64_p-r0" and "python3". */
static void name_module(char *to, size_t size, const char *path)
{
	const char *name = base_name(path);
	size_t length;

	if (begins(name, "libpython3"))
		name += strlen("lib");
	length = strcspn(name, ".");
	if (length > 9 && name[length - 9] == '-' && is_hash(name + length - 8, 8))
		length -= 9;
	copy(to, size, name, length);
}

/*
 * Cython numbers functions by their place in the module, and has a wrapper for each that
 * may be inlined or not: __pyx_pw_4_mcp_3MCP_5find and __pyx_pf_4_mcp_3MCP_4find are one.
 */
static void name_cython(char *to, size_t size, const char *name, size_t length)
{
	size_t n = 0, at = strlen("__pyx_p?_");

	for (const char *prefix = "__pyx_"; *prefix != '\0'; prefix++)
		to[n++] = *prefix;
	at += strspn(name + at, "0123456789");
	while (at < length && n + 1 < size) {
		to[n++] = name[at];
		if (name[at++] == '_')
			at += strspn(name + at, "0123456789");
	}
	to[n] = '\0';
}

/* Without .isra.0, .constprop.1, .part.0, .cold, .llvm.123: those are the compiler's. */
static void name_function(char *to, size_t size, const char *name)
{
	size_t length = name[0] == '.' ? strlen(name) : strcspn(name, ".@");

	if (begins(name, "__pyx_pw_") || begins(name, "__pyx_pf_"))
		name_cython(to, size, name, length);
	else
		copy(to, size, name, length);
}

/* Code that stores where it is told to. */
static bool names_nobody(const struct ftsan_view_frame *frame)
{
	static const char *const modules[] = {"libftsan", "libstdc++.so", "libc++.so",
					      "libgcc_s.so"};

	if (ftsan_view_is_libc(frame) || ftsan_view_is_interpreter(frame))
		return true;
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(modules); i++)
		if (!frame->python && known(frame->module) &&
		    begins(base_name(frame->module), modules[i]))
			return true;
	return false;
}

/* Functions that change an array because they are asked to (NumPy 2.1 to 2.5,
 * getset.c, methods.c and shape.c): the caller is who should know better. */
static bool is_mutator(const struct ftsan_view_frame *frame)
{
	static const char *const functions[] = {
		"array_shape_set",
		"array_shape_set_internal",
		"array_strides_set",
		"array_descr_set",
		"array_dtype_set",
		"array_data_set",
		"array_resize",
		"PyArray_Resize",
		"PyArray_Resize_int",
		"array_setstate",
		"array_setflags",
		"array_flags_set",
		"arrayflags_writeable_set",
	};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(functions); i++)
		if (equal(frame->function, functions[i]))
			return true;
	return false;
}

/* --- who is at fault ---------------------------------------------------------- */

static bool is_traceback(const struct ftsan_view_frame *frame)
{
	return !frame->python && begins(frame->function, "__Pyx_AddTraceback");
}

static void take_native(struct ftsan_group *group, const struct ftsan_view_frame *frame)
{
	struct ftsan_buf text;

	if (known(frame->module))
		name_module(group->module, sizeof(group->module), frame->module);
	if (known(frame->function)) {
		name_function(group->function, sizeof(group->function), frame->function);
		return;
	}
	ftsan_buf_init(&text, group->function, sizeof(group->function));
	ftsan_buf_char(&text, '+');
	ftsan_buf_hex(&text, frame->start != 0 ? frame->start : frame->offset);
	(void)ftsan_buf_cstr(&text);
}

/* "work (t.py)" */
static void take_python(struct ftsan_group *group, const struct ftsan_view_frame *frame)
{
	struct ftsan_buf text;

	ftsan_buf_init(&text, group->function, sizeof(group->function));
	ftsan_buf_str(&text, known(frame->function) ? frame->function : "?");
	ftsan_buf_str(&text, " (");
	ftsan_buf_str(&text, known(frame->file) ? base_name(frame->file) : "?");
	ftsan_buf_char(&text, ')');
	(void)ftsan_buf_cstr(&text);
}

/* The frame that is to blame: see ftsan_groups(). NULL: there is none. */
static const struct ftsan_view_frame *guilty(const struct ftsan_view_stack *stack)
{
	const struct ftsan_view_frame *first = NULL, *innermost = NULL;
	bool asked_for = false; /* a mutator was passed */

	for (unsigned i = 0; i < stack->n_frames; i++) {
		const struct ftsan_view_frame *frame = &stack->frames[i];

		if (is_traceback(frame))
			return frame;
		if (frame->python) {
			/* What is further out called Python, not this. */
			if (innermost != NULL)
				return innermost;
			return first == NULL || asked_for ? frame : first;
		}
		if (first == NULL && !ftsan_view_is_libc(frame))
			first = frame;
		if (names_nobody(frame))
			continue;
		if (is_mutator(frame)) {
			asked_for = true;
			innermost = NULL;
		} else if (innermost == NULL) {
			innermost = frame;
		}
	}
	return innermost != NULL ? innermost : first;
}

static void blame(struct ftsan_group *group, const struct ftsan_view_stack *stack)
{
	const struct ftsan_view_frame *frame = guilty(stack);

	if (frame == NULL)
		return;
	if (frame->python)
		take_python(group, frame);
	else
		take_native(group, frame);
}

/* --- the memory, and the sort of bug ------------------------------------------ */

/* "dims[3]" and "dims[0]" are the same thing in different arrays. */
static void take_subject(struct ftsan_group *group, const struct ftsan_view *view)
{
	if (!known(view->subject) && view->by_object && known(view->description))
		copy(group->subject, sizeof(group->subject), view->description,
		     strlen(view->description));
	else if (known(view->subject))
		copy(group->subject, sizeof(group->subject), view->subject,
		     strlen(view->subject));
	else if (known(view->name))
		copy(group->subject, sizeof(group->subject), view->name,
		     strcspn(view->name, "["));
}

static void take_family(struct ftsan_group *group, const char *kind)
{
	const char *family = known(kind) ? kind : "finding";

	if (equal(kind, "race") || equal(kind, "hazard"))
		family = "access";
	else if (equal(kind, "use-after-free"))
		family = "lifetime";
	copy(group->family, sizeof(group->family), family, strlen(family));
}

/*
 * Threads that use the cache meet in it, use it after it has moved, or get what is no
 * code object from it: one bug. A traceback without an exception is another matter.
 */
static void take_cython_cache(struct ftsan_group *group)
{
	static const char family[] = "access", cache[] = "code cache";

	if (!begins(group->function, "__Pyx_AddTraceback") ||
	    equal(group->family, "no-exception"))
		return;
	copy(group->family, sizeof(group->family), family, strlen(family));
	copy(group->subject, sizeof(group->subject), cache, strlen(cache));
}

static bool is_party(const struct ftsan_view_stack *stack)
{
	return !equal(stack->role, "alloc");
}

static bool is_store(const struct ftsan_view_stack *stack)
{
	return equal(stack->role, "write");
}

/* Who freed did so by right, most often: it is the user who held no reference. */
static bool is_user(const struct ftsan_view_stack *stack)
{
	return is_party(stack) && !equal(stack->role, "free");
}

/* The first stack that @like says yes to, from *@at on, which goes past it. */
static const struct ftsan_view_stack *next(const struct ftsan_view *view,
					   bool (*like)(const struct ftsan_view_stack *),
					   unsigned *at)
{
	while (*at < view->n_stacks) {
		const struct ftsan_view_stack *stack = &view->stacks[(*at)++];

		if (like(stack))
			return stack;
	}
	return NULL;
}

static void begin(struct ftsan_group *group, const struct ftsan_view *view)
{
	memset(group, 0, sizeof(*group));
	take_family(group, view->kind);
	take_subject(group, view);
}

static int compare(const struct ftsan_group *a, const struct ftsan_group *b)
{
	int order = strcmp(a->module, b->module);

	return order != 0 ? order : strcmp(a->function, b->function);
}

/* Two functions stored: which is first must not depend on the threads. */
static unsigned second_store(const struct ftsan_view *view,
			     const struct ftsan_view_stack *stack,
			     struct ftsan_group *groups)
{
	struct ftsan_group first = groups[0];

	begin(&groups[1], view);
	blame(&groups[1], stack);
	take_cython_cache(&groups[1]);
	if (compare(&groups[0], &groups[1]) == 0)
		return 1;
	if (compare(&groups[0], &groups[1]) > 0) {
		groups[0] = groups[1];
		groups[1] = first;
	}
	return 2;
}

static void take_operation(struct ftsan_group *group, const struct ftsan_view *view)
{
	begin(group, view);
	copy(group->function, sizeof(group->function), view->operation,
	     strlen(view->operation));
}

unsigned ftsan_groups(const struct ftsan_view *view,
		      struct ftsan_group groups[FTSAN_GROUPS_MAX])
{
	unsigned at = 0;
	const struct ftsan_view_stack *store = next(view, is_store, &at), *stack = store;
	bool lifetime = equal(view->kind, "use-after-free");

	/* A value that changed while nobody looked: the operation is all there is. */
	if (store == NULL && known(view->operation) && equal(view->kind, "hazard")) {
		take_operation(&groups[0], view);
		return 1;
	}
	if (store == NULL || lifetime) {
		at = 0;
		stack = next(view, is_user, &at);
	}
	if (stack == NULL) {
		at = 0;
		stack = next(view, is_party, &at);
	}
	begin(&groups[0], view);
	if (stack == NULL || (view->by_object && groups[0].subject[0] != '\0'))
		return 1;
	blame(&groups[0], stack);
	take_cython_cache(&groups[0]);
	if (known(view->operation)) {
		take_operation(&groups[1], view);
		return 2;
	}
	stack = store != NULL && !lifetime ? next(view, is_store, &at) : NULL;
	return stack != NULL ? second_store(view, stack, groups) : 1;
}

/* --- numbers ------------------------------------------------------------------ */

static const uint64_t SEED = 0xcbf29ce484222325ull;

/* FNV-1a, 64 bits; the end of each text counts. */
static uint64_t mix(uint64_t hash, const char *text)
{
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ull;
	return (hash ^ 0xff) * 0x100000001b3ull;
}

uint64_t ftsan_group_id(const struct ftsan_group *group)
{
	uint64_t hash = mix(SEED, group->family);

	hash = mix(hash, group->module);
	hash = mix(hash, group->function);
	return mix(hash, group->subject);
}

/* "write in array_repeat" */
static void put_side(struct ftsan_buf *out, const struct ftsan_view_stack *stack)
{
	struct ftsan_group side = {.family = ""};

	blame(&side, stack);
	ftsan_buf_str(out, known(stack->role) ? stack->role : "access");
	if (side.function[0] != '\0') {
		ftsan_buf_str(out, " in ");
		ftsan_buf_str(out, side.function);
	}
	(void)ftsan_buf_cstr(out);
}

uint64_t ftsan_evidence(const struct ftsan_view *view, struct ftsan_buf *out)
{
	char sides[2][192];
	struct ftsan_buf side;
	unsigned at = 0, n = 0;
	const struct ftsan_view_stack *stack;

	ftsan_buf_str(out, known(view->kind) ? view->kind : "finding");
	ftsan_buf_str(out, ", ");
	ftsan_buf_str(out, known(view->confidence) ? view->confidence : "unknown");
	while (n < 2 && (stack = next(view, is_party, &at)) != NULL) {
		ftsan_buf_init(&side, sides[n], sizeof(sides[n]));
		put_side(&side, stack);
		n++;
	}
	for (unsigned i = 0; i < n; i++) {
		bool turn = n == 2 && strcmp(sides[0], sides[1]) > 0;

		ftsan_buf_str(out, i == 0 ? ": " : ", ");
		ftsan_buf_str(out, sides[turn ? 1 - i : i]);
	}
	return mix(SEED, ftsan_buf_cstr(out));
}
