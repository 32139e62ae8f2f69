/*
 * The inventory: a record for every instruction and word of statics that it stored to,
 * and one for each module. Names are looked up by whoever reads the log.
 */
#include <stddef.h>

#include "base/base.h"
#include "findings/findings.h"
#include "locks/locks.h"
#include "statics/config.h"
#include "statics/report_text.h"
#include "statics/statics.h"
#include "statics/store.h"

enum { RECORDS_MAX = 40000, LINE = 16384, UNREAD_NAMED = 8 };

static char storage[LINE]; /* one caller: the end of the process */

/* Where the function begins, for code that has no name; nothing when that is unknown. */
static void put_start(struct ftsan_buf *out, uintptr_t pc)
{
	const struct ftsan_module *of = ftsan_module_of(pc);
	struct ftsan_function_table table;
	uintptr_t begin, end;

	if (of != NULL && ftsan_function_table_find(&table, of->begin, of->bias) &&
	    ftsan_function_range(&table, pc, &begin, &end))
		ftsan_line_hex(out, "by_start", begin - of->bias);
}

/* Seconds since the epoch, as everywhere in the log. */
static void put_moments(struct ftsan_buf *out, const struct static_writer *writer)
{
	const char *before = "";

	ftsan_line_key(out, "times");
	ftsan_buf_char(out, '[');
	for (unsigned i = 0; i < STATIC_MOMENTS; i++) {
		uint64_t us =
			atomic_load_explicit(&writer->moments[i], memory_order_relaxed) /
			1000;

		if (us == 0)
			continue;
		ftsan_buf_str(out, before);
		ftsan_buf_u64(out, us / 1000000);
		ftsan_buf_char(out, '.');
		for (uint64_t digit = 100000; digit > 0; digit /= 10)
			ftsan_buf_char(out, (char)('0' + us / digit % 10));
		before = ",";
	}
	ftsan_buf_char(out, ']');
}

static void put_code(struct ftsan_buf *out, const char *module, const char *offset,
		     uintptr_t pc)
{
	const struct ftsan_module *of = ftsan_module_of(pc);

	ftsan_line_str(out, module, of == NULL ? "" : of->path);
	ftsan_line_hex(out, offset, of == NULL ? pc : pc - of->bias);
}

static void put_lock(struct ftsan_buf *out, const struct static_word *word)
{
	const struct ftsan_module *of;
	uintptr_t address;

	if (word->locks.n == 0)
		return;
	address = word->locks.locks[0].address;
	ftsan_line_str(out, "lock", ftsan_lock_kind_name(word->lock_kind));
	of = ftsan_module_of(address);
	if (of != NULL) {
		ftsan_line_str(out, "lock_module", of->path);
		ftsan_line_hex(out, "lock_offset", address - of->bias);
	}
	if (word->lock_pc != 0)
		put_code(out, "taken_module", "taken_offset", word->lock_pc - 1);
}

static void put_facts(struct ftsan_buf *out, const struct static_word *word)
{
	const struct ftsan_static_facts *facts = &word->facts;

	ftsan_line_u64(out, "stores",
		       atomic_load_explicit(&word->stores, memory_order_relaxed));
	ftsan_line_u64(out, "judged", facts->judged);
	ftsan_line_u64(out, "imported", facts->imported);
	ftsan_line_u64(out, "same", facts->same);
	ftsan_line_u64(out, "from_null", facts->from_null);
	ftsan_line_u64(out, "to_null", facts->to_null);
	ftsan_line_u64(out, "changed", facts->changed);
	ftsan_line_u64(out, "call_words", facts->call_words);
	ftsan_line_key(out, "detached");
	ftsan_buf_str(out, facts->detached ? "true" : "false");
	ftsan_line_key(out, "threads");
	ftsan_buf_str(out, word->several_threads ? "\"several\"" : "\"one\"");
	ftsan_line_hex(out, "old", word->last_old);
	ftsan_line_hex(out, "new", word->last_new);
	put_lock(out, word);
}

/* Return: whether there was anything to write. */
static bool write_writer(const struct static_writer *writer, uintptr_t pc)
{
	struct static_page *page = static_page_of(writer->address);
	struct ftsan_static_verdict verdict;
	const struct static_word *word;
	const struct static_module *module;
	struct ftsan_buf out;

	/* None in this process: a fork has brought it along. */
	if (page == NULL ||
	    atomic_load_explicit(&writer->stores, memory_order_relaxed) == 0)
		return false;
	module = static_module_at(
		atomic_load_explicit(&page->module, memory_order_relaxed));
	word = static_word_of(writer->address);
	if (word == NULL || module->module == NULL)
		return false;
	verdict = static_verdict_of(word);
	ftsan_line_begin(&out, storage, sizeof(storage), "static");
	ftsan_line_str(&out, "module", module->module->path);
	ftsan_line_hex(&out, "offset", writer->address - module->module->bias);
	ftsan_line_u64(&out, "size", writer->size);
	put_code(&out, "by_module", "by_offset", pc);
	put_start(&out, pc);
	ftsan_line_u64(&out, "by_stores",
		       atomic_load_explicit(&writer->stores, memory_order_relaxed));
	put_moments(&out, writer);
	ftsan_line_str(&out, "class", ftsan_static_class_name(verdict.class));
	ftsan_line_str(&out, "grade", ftsan_grade_name(verdict.grade));
	put_facts(&out, word);
	for (unsigned i = 0; i < STATIC_CALLERS && writer->caller[i] != 0; i++) {
		static const char *const keys[][2] = {
			{"caller_module", "caller_offset"},
			{"caller2_module", "caller2_offset"},
			{"caller3_module", "caller3_offset"},
			{"caller4_module", "caller4_offset"}};

		put_code(&out, keys[i][0], keys[i][1], writer->caller[i] - 1);
	}
	ftsan_line_finish(&out);
	return true;
}

/* The last record of an inventory: without it, it is not all there. */
static void write_end(uint32_t written, uint32_t left_out)
{
	struct ftsan_buf out;

	ftsan_line_begin(&out, storage, sizeof(storage), "statics_inventory");
	ftsan_line_u64(&out, "records", written);
	ftsan_line_u64(&out, "left_out", left_out + ftsan_counted(statics_lost));
	ftsan_line_finish(&out);
}

void ftsan_statics_inventory(void)
{
	uint32_t written = 0, left_out = 0;

	if (!static_config.inventory)
		return;
	for (uint32_t i = 0; i < STATIC_WRITERS; i++) {
		struct static_writer *writer = static_writer_at(i);
		uintptr_t pc = atomic_load_explicit(&writer->pc, memory_order_acquire);

		if (pc == 0)
			continue;
		if (written == RECORDS_MAX) {
			left_out++;
			continue;
		}
		written += write_writer(writer, pc);
	}
	write_end(written, left_out);
}

/* Pages that are never closed: the processor's watchpoints have to see who loads there.
 */
static uint64_t lock_pages(const struct static_module *module)
{
	uint64_t n = 0;

	for (uintptr_t at = module->begin; at < module->end; at += FTSAN_PAGE) {
		const struct static_page *page = static_page_of(at);

		n += page != NULL &&
		     atomic_load_explicit(&page->has_locks, memory_order_relaxed);
	}
	return n;
}

/* Of the module's pages: how long they were sealed, and how long they could have been. */
static void sum(const struct static_module *module, uint64_t now, uint64_t *watched,
		uint64_t *open)
{
	*watched = *open = 0;
	for (uintptr_t at = module->begin; at < module->end; at += 4096) {
		struct static_page *page = static_page_of(at);
		uint8_t state;

		if (page == NULL)
			continue;
		state = atomic_load_explicit(&page->state, memory_order_relaxed);
		*watched += now - page->sealed_since;
		*open += atomic_load_explicit(&page->open_ns, memory_order_relaxed);
		if (state == STATIC_PAGE_OPEN)
			*open += now - atomic_load_explicit(&page->open_since,
							    memory_order_relaxed);
	}
}

/* After a detach, too, where everything is halted by then. */
void ftsan_statics_record_unread(struct ftsan_buf *line)
{
	bool on = atomic_load_explicit(&static_switch.on, memory_order_acquire);
	uint64_t words = 0;

	for (unsigned i = 0; on && i < static_modules(); i++)
		words += atomic_load_explicit(&static_module_at((uint16_t)i)->unread,
					      memory_order_relaxed);
	if (words == 0)
		return;
	ftsan_buf_str(line, ",\"statics_unread\":{\"words\":");
	ftsan_buf_u64(line, words);
	ftsan_buf_str(line, ",\"modules\":[");
	for (unsigned i = 0, named = 0; i < static_modules() && named < UNREAD_NAMED;
	     i++) {
		const struct static_module *module = static_module_at((uint16_t)i);

		if (module->module == NULL ||
		    atomic_load_explicit(&module->unread, memory_order_relaxed) == 0)
			continue;
		ftsan_buf_str(line, named++ == 0 ? "" : ",");
		ftsan_buf_json(line, static_module_name(module));
	}
	ftsan_buf_str(line, "]}");
}

void ftsan_statics_record_modules(void)
{
	uint64_t now = ftsan_sys_now_ns(), watched, open;
	struct ftsan_buf out;

	if (!ftsan_statics_on())
		return;
	for (unsigned i = 0; i < static_modules(); i++) {
		const struct static_module *module = static_module_at((uint16_t)i);

		if (module->module == NULL ||
		    atomic_load_explicit(&module->gone, memory_order_relaxed))
			continue;
		sum(module, now, &watched, &open);
		ftsan_line_begin(&out, storage, sizeof(storage), "statics_module");
		ftsan_line_str(&out, "module", module->module->path);
		ftsan_line_str(&out, "build_id", module->module->build_id);
		ftsan_line_hex(&out, "begin", module->begin - module->module->bias);
		ftsan_line_u64(&out, "pages", (module->end - module->begin) / 4096);
		ftsan_line_u64(&out, "lock_pages", lock_pages(module));
		ftsan_line_u64(
			&out, "unread_words",
			atomic_load_explicit(&module->unread, memory_order_relaxed));
		ftsan_line_u64(
			&out, "stores",
			atomic_load_explicit(&module->traps, memory_order_relaxed));
		ftsan_line_u64(&out, "sealed_permille",
			       watched == 0 ? 0
					    : (watched - open) / (watched / 1000 + 1));
		ftsan_line_key(&out, "asks_for_gil");
		ftsan_buf_str(&out, module->asks_for_gil ? "true" : "false");
		ftsan_line_finish(&out);
	}
}
