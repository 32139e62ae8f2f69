#include "findings/introduce.h"

#include "base/base.h"
#include "findings/log_line.h"
#include "stacks/stacks.h"

/* struct room - where a record is made */
struct room {
	char *line;
	size_t size;
};

static void write_module(struct ftsan_module *module, uint32_t log_number,
			 const struct room *room)
{
	struct ftsan_buf line;

	if (atomic_exchange_explicit(&module->logged, log_number, memory_order_relaxed) ==
	    log_number)
		return;
	ftsan_line_begin(&line, room->line, room->size, "module");
	ftsan_line_str(&line, "path", module->path);
	ftsan_line_str(&line, "build_id", module->build_id);
	ftsan_line_hex(&line, "base", module->bias);
	ftsan_line_finish(&line);
}

static void write_modules(const struct ftsan_stack *stack, uint32_t log_number,
			  const struct room *room)
{
	for (unsigned f = 0; stack != NULL && f < stack->n_native; f++) {
		struct ftsan_module *module = ftsan_module_of(stack->pc[f] - 1);

		if (module != NULL)
			write_module(module, log_number, room);
	}
}

static void write_thread(const struct ftsan_party *party, const struct room *room)
{
	struct ftsan_buf line;

	if (party->tid == 0)
		return;
	ftsan_line_begin(&line, room->line, room->size, "thread");
	ftsan_line_i64(&line, "tid", party->tid);
	ftsan_line_str(&line, "name", party->name);
	ftsan_line_finish(&line);
}

void ftsan_introduce(const struct ftsan_incident *incident, uint32_t log_number,
		     char *line, size_t size)
{
	const struct room room = {line, size};

	for (unsigned i = 0; i < incident->n_parties; i++)
		write_modules(incident->parties[i].stack, log_number, &room);
	for (unsigned i = 0; i < incident->n_others; i++)
		write_modules(incident->others[i].stack, log_number, &room);
	for (unsigned i = 0; i < incident->n_parties; i++)
		write_thread(&incident->parties[i], &room);
}
