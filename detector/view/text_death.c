#include "view/text_death.h"

#include <string.h>

#include "view/text_parts.h"

/* "Memory was used after it was freed: read of 8 bytes at [rax]: rax = 0x0 is NULL." */
static void put_cause(struct ftsan_buf *out, const struct ftsan_view_death *death)
{
	char first;

	if (!ftsan_str_some(death->cause))
		return;
	first = death->cause[0];
	ftsan_buf_str(out, "  ");
	ftsan_buf_char(out,
		       first >= 'a' && first <= 'z' ? (char)(first - 'a' + 'A') : first);
	ftsan_text_put(out, death->cause + 1);
	if (ftsan_str_some(death->detail)) {
		ftsan_buf_str(out, ": ");
		ftsan_text_put(out, death->detail);
	}
	ftsan_buf_str(out, ".\n");
}

static void put_reason(struct ftsan_buf *out, const struct ftsan_view_death *death)
{
	if (!death->race)
		return;
	ftsan_buf_str(out, "  Two threads at the same ");
	ftsan_buf_str(out, ftsan_str_some(death->relation) &&
					   strcmp(death->relation, "function") == 0
				   ? "function"
				   : "object");
	ftsan_buf_str(out, " at that moment are the likely reason.\n");
}

static void put_operation(struct ftsan_buf *out, const struct ftsan_view_stack *stack)
{
	if (!ftsan_str_some(stack->operation))
		return;
	ftsan_buf_str(out, ", in ");
	ftsan_text_put(out, stack->operation);
	if (stack->object == 0)
		return;
	ftsan_buf_str(out, " of ");
	ftsan_text_put(out, ftsan_str_some(stack->type) ? stack->type : "the object");
	ftsan_buf_str(out, " at ");
	ftsan_buf_hex(out, stack->object);
}

static void put_guilty(struct ftsan_buf *out, const struct ftsan_view *view,
		       unsigned index)
{
	const struct ftsan_view_stack *stack = &view->stacks[index];

	ftsan_buf_str(out,
		      ftsan_str_some(stack->role) && strcmp(stack->role, "crash") == 0
			      ? "  Died in "
		      : ftsan_str_some(stack->role) && strcmp(stack->role, "free") == 0
			      ? "  Freed by "
			      : "  Meanwhile ");
	ftsan_text_thread(out, stack, view->pid);
	put_operation(out, stack);
	ftsan_buf_str(out, ":\n");
	ftsan_text_frames(out, stack);
}

/* The innermost Python frame says most of where a thread is; else the first native one.
 */
static const struct ftsan_view_frame *place_of(const struct ftsan_view_stack *stack)
{
	for (unsigned i = 0; i < stack->n_frames; i++)
		if (stack->frames[i].python)
			return &stack->frames[i];
	return stack->n_frames > 0 ? &stack->frames[0] : NULL;
}

static void put_bystander(struct ftsan_buf *out, const struct ftsan_view_stack *stack,
			  int pid)
{
	const struct ftsan_view_frame *place = place_of(stack);

	ftsan_buf_str(out, "    ");
	ftsan_text_thread(out, stack, pid);
	put_operation(out, stack);
	if (place != NULL) {
		ftsan_buf_str(out, ": ");
		ftsan_text_put(out, ftsan_str_some(place->function) ? place->function
								    : "<unknown>");
		if (ftsan_str_some(place->file)) {
			ftsan_buf_char(out, ' ');
			ftsan_text_put(out, place->file);
			ftsan_buf_char(out, ':');
			ftsan_buf_i64(out, place->line);
		}
	}
	ftsan_buf_char(out, '\n');
}

static void put_bystanders(struct ftsan_buf *out, const struct ftsan_view *view,
			   unsigned from)
{
	const struct ftsan_view_death *death = view->death;

	if (from < view->n_stacks)
		ftsan_buf_str(out, "  Other threads (the log has their stacks):\n");
	for (unsigned i = from; i < view->n_stacks; i++)
		put_bystander(out, &view->stacks[i], view->pid);
	if (death->untold != 0) {
		ftsan_buf_str(out, "    and ");
		ftsan_buf_u64(out, death->untold);
		ftsan_buf_str(out, " more\n");
	}
	if (death->n_silent == 0)
		return;
	ftsan_buf_str(out, "  Threads that did not answer in time:");
	for (unsigned i = 0; i < death->n_silent; i++) {
		ftsan_buf_char(out, ' ');
		ftsan_buf_i64(out, death->silent[i]);
	}
	ftsan_buf_char(out, '\n');
}

static void put_earlier(struct ftsan_buf *out, const struct ftsan_view_death *death)
{
	for (unsigned i = 0; i < death->n_earlier; i++) {
		const struct ftsan_view_earlier *one = &death->earlier[i];
		uint64_t tenths = (uint64_t)(one->before * 10);

		ftsan_buf_str(out, "  ");
		ftsan_buf_u64(out, tenths / 10);
		ftsan_buf_char(out, '.');
		ftsan_buf_u64(out, tenths % 10);
		ftsan_buf_str(out, " s earlier: ");
		ftsan_text_put(out, ftsan_kind_headline(one->kind));
		ftsan_buf_str(out, ", fingerprint ");
		ftsan_text_put(out, one->fingerprint);
		ftsan_buf_char(out, '\n');
	}
}

void ftsan_text_death(struct ftsan_buf *out, const struct ftsan_view *view)
{
	const struct ftsan_view_death *death = view->death;
	unsigned guilty =
		death->n_guilty < view->n_stacks ? death->n_guilty : view->n_stacks;

	put_cause(out, death);
	put_reason(out, death);
	put_earlier(out, death);
	ftsan_buf_char(out, '\n');
	for (unsigned i = 0; i < guilty; i++)
		put_guilty(out, view, i);
	put_bystanders(out, view, guilty);
}
