#include "operations/fresh.h"

#include "operations/operation.h"

void ftsan_operation_born(uintptr_t header)
{
	struct ftsan_thread *thread;
	struct ftsan_births *births;

	thread = ftsan_thread_self();
	if (thread == NULL || ftsan_operations_of(thread)->innermost == NULL ||
	    !ftsan_latent())
		return;
	births = &ftsan_operations_of(thread)->births;
	if (births->n == FTSAN_BIRTHS) {
		births->incomplete = true;
		return;
	}
	births->headers[births->n++] = header;
}

void ftsan_operation_born_unnoticed(void)
{
	struct ftsan_thread *thread = ftsan_thread_self();

	if (thread != NULL)
		ftsan_operations_of(thread)->births.incomplete = true;
}

/* An argument of the outermost operation was there before it. */
static bool came_from_outside(const struct ftsan_thread *thread, uintptr_t header)
{
	const struct ftsan_operation_frame *frame =
		ftsan_operations_of(thread)->innermost;

	while (frame != NULL && frame->outer != NULL)
		frame = frame->outer;
	return ftsan_operation_array_at(frame, header) != NULL;
}

bool ftsan_operation_is_fresh(const struct ftsan_thread *thread, uintptr_t header)
{
	const struct ftsan_births *births = &ftsan_operations_of(thread)->births;

	if (ftsan_operations_of(thread)->innermost != NULL &&
	    ftsan_operations_of(thread)->innermost->deeper)
		return true;
	if (came_from_outside(thread, header))
		return false;
	if (births->incomplete)
		return true;
	for (uint32_t i = 0; i < births->n; i++)
		if (births->headers[i] == header)
			return true;
	return false;
}
