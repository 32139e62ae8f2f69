#include "findings/group.h"

#include <stdbool.h>
#include <string.h>

#include "base/base.h"
#include "findings/blame.h"

/* --- the memory, and the sort of bug ------------------------------------------ */

/* "dims[3]" and "dims[0]" are the same thing in different arrays. */
static void take_subject(struct ftsan_group *group, const struct ftsan_view *view)
{
	if (ftsan_str_some(view->subject))
		ftsan_str_copy(group->subject, sizeof(group->subject), view->subject,
			       strlen(view->subject));
	else if (ftsan_str_some(view->name))
		ftsan_str_copy(group->subject, sizeof(group->subject), view->name,
			       strcspn(view->name, "["));
}

static void take_family(struct ftsan_group *group, const char *kind)
{
	const char *family = ftsan_str_some(kind) ? kind : "finding";

	if (ftsan_str_equal(kind, "race") || ftsan_str_equal(kind, "hazard"))
		family = "access";
	else if (ftsan_str_equal(kind, "use-after-free"))
		family = "lifetime";
	ftsan_str_copy(group->family, sizeof(group->family), family, strlen(family));
}

/*
 * Threads that use the cache meet in it, use it after it has moved, or get what is no
 * code object from it: one bug. A traceback without an exception is another matter.
 */
static void take_cython_cache(struct ftsan_group *group)
{
	static const char family[] = "access", cache[] = "code cache";

	if (!ftsan_str_begins(group->culprit.function, "__Pyx_AddTraceback") ||
	    ftsan_str_equal(group->family, "no-exception"))
		return;
	ftsan_str_copy(group->family, sizeof(group->family), family, strlen(family));
	ftsan_str_copy(group->subject, sizeof(group->subject), cache, strlen(cache));
}

static bool is_party(const struct ftsan_view_stack *stack)
{
	return !ftsan_str_equal(stack->role, "alloc");
}

static bool is_store(const struct ftsan_view_stack *stack)
{
	return ftsan_str_equal(stack->role, "write");
}

/* Who freed did so by right, most often: it is the user who held no reference. */
static bool is_user(const struct ftsan_view_stack *stack)
{
	return is_party(stack) && !ftsan_str_equal(stack->role, "free");
}

static bool is_access(const struct ftsan_view_stack *stack)
{
	return is_store(stack) || ftsan_str_equal(stack->role, "read");
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

static bool has_access(const struct ftsan_view *view)
{
	unsigned at = 0;

	return next(view, is_access, &at) != NULL;
}

static void begin(struct ftsan_group *group, const struct ftsan_view *view)
{
	memset(group, 0, sizeof(*group));
	take_family(group, view->kind);
	take_subject(group, view);
}

static int compare(const struct ftsan_group *a, const struct ftsan_group *b)
{
	int order = strcmp(a->culprit.module, b->culprit.module);

	return order != 0 ? order : strcmp(a->culprit.function, b->culprit.function);
}

/* Two functions stored: which is first must not depend on the threads. */
static unsigned second_store(const struct ftsan_view *view,
			     const struct ftsan_view_stack *stack,
			     struct ftsan_group *groups)
{
	struct ftsan_group first = groups[0];

	begin(&groups[1], view);
	ftsan_blame(&groups[1].culprit, stack);
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
	ftsan_str_copy(group->culprit.function, sizeof(group->culprit.function),
		       view->operation, strlen(view->operation));
}

unsigned ftsan_groups(const struct ftsan_view *view,
		      struct ftsan_group groups[FTSAN_GROUPS_MAX])
{
	unsigned at = 0;
	const struct ftsan_view_stack *store = next(view, is_store, &at), *stack = store;
	bool lifetime = ftsan_str_equal(view->kind, "use-after-free");

	/* A value that changed while nobody looked: the operation is all there is. Be it
	 * one thread or two: the stack is that of the interpreter, which called it. */
	if (!lifetime && ftsan_str_some(view->operation) && !has_access(view)) {
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
	if (stack == NULL)
		return 1;
	ftsan_blame(&groups[0].culprit, stack);
	take_cython_cache(&groups[0]);
	if (ftsan_str_some(view->operation)) {
		take_operation(&groups[1], view);
		return 2;
	}
	stack = store != NULL && !lifetime ? next(view, is_store, &at) : NULL;
	return stack != NULL ? second_store(view, stack, groups) : 1;
}

/* --- numbers ------------------------------------------------------------------ */

uint64_t ftsan_group_id(const struct ftsan_group *group)
{
	uint64_t hash = ftsan_hash_field(FTSAN_HASH_BEGIN, group->family);

	hash = ftsan_hash_field(hash, group->culprit.module);
	hash = ftsan_hash_field(hash, group->culprit.function);
	return ftsan_hash_field(hash, group->subject);
}

/* "write in array_repeat" */
static void put_side(struct ftsan_buf *out, const struct ftsan_view_stack *stack)
{
	struct ftsan_culprit side = {.module = ""};

	ftsan_blame(&side, stack);
	ftsan_buf_str(out, ftsan_str_some(stack->role) ? stack->role : "access");
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

	ftsan_buf_str(out, ftsan_str_some(view->kind) ? view->kind : "finding");
	ftsan_buf_str(out, ", ");
	ftsan_buf_str(out,
		      ftsan_str_some(view->confidence) ? view->confidence : "unknown");
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
	return ftsan_hash_field(FTSAN_HASH_BEGIN, ftsan_buf_cstr(out));
}
