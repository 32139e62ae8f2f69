#include "freed/story.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "base/base.h"
#include "freed/fill.h"
#include "freed/ring.h"
#include "freed/sites.h"
#include "threads/threads.h"

static void take_site(struct ftsan_freed_story *out, uint16_t number)
{
	const struct ftsan_freed_site *site = ftsan_freed_site_at(number);

	if (site == NULL)
		return;
	memcpy(out->type, site->type, sizeof(out->type));
	out->stack.n_native = site->n_native;
	out->stack.n_python = site->n_python;
	out->stack.truncated = site->truncated;
	memcpy(out->stack.pc, site->pc, sizeof(site->pc));
	memcpy(out->stack.python, site->python, sizeof(site->python));
}

static void take_name(struct ftsan_freed_story *out)
{
	uint32_t n = ftsan_threads_used();

	for (uint32_t i = 0; i < n; i++) {
		struct ftsan_thread *thread = ftsan_thread_at(i);

		if (thread == NULL || atomic_load(&thread->tid) != out->tid)
			continue;
		ftsan_thread_tell_name(thread, out->name, sizeof(out->name));
		return;
	}
}

/* A record may be written anew while it is read: then the copy is of no use. */
static bool copy(const struct ftsan_freed_record *record, struct ftsan_freed_record *to)
{
	uint32_t serial = atomic_load_explicit(&record->serial, memory_order_acquire);

	to->tid = record->tid;
	to->block = record->block;
	to->ticks = record->ticks;
	to->bytes = record->bytes;
	to->site = record->site;
	to->object = record->object;
	atomic_store_explicit(&to->serial, serial, memory_order_relaxed);
	atomic_store_explicit(&to->held, atomic_load(&record->held),
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	return serial != 0 && atomic_load(&record->serial) == serial;
}

/* Between the search and the copy it may have become another block's. */
static bool is_still(const struct ftsan_freed_record *found, uint64_t address,
		     bool filled)
{
	if (filled)
		return atomic_load_explicit(&found->serial, memory_order_relaxed) ==
		       ftsan_freed_serial(address);
	return address - found->block < found->bytes;
}

bool ftsan_freed_find(uint64_t address, struct ftsan_freed_story *out)
{
	bool filled = ftsan_freed_is_fill(address);
	const struct ftsan_freed_record *record =
		filled ? ftsan_ring_at(ftsan_freed_serial(address))
		       : ftsan_ring_find(address);
	struct ftsan_freed_record found = {0};

	memset(out, 0, offsetof(struct ftsan_freed_story, stack));
	out->stack.n_native = out->stack.n_python = 0;
	out->stack.truncated = false;
	if (record == NULL || !copy(record, &found) || !is_still(&found, address, filled))
		return false;
	out->begin = found.block;
	out->bytes = found.bytes;
	out->object = found.object == FTSAN_NO_OBJECT ? -1 : found.object * 8;
	out->held = atomic_load_explicit(&found.held, memory_order_relaxed);
	out->filled = filled;
	out->offset = filled ? 0 : (uint32_t)(address - found.block);
	out->tid = found.tid;
	out->ago_ns = ftsan_ticks_ago_ns(found.ticks);
	take_site(out, found.site);
	take_name(out);
	return true;
}

static void put_ago(struct ftsan_buf *out, uint64_t ns)
{
	uint64_t tenths = ns / 100000;

	ftsan_buf_u64(out, tenths / 10);
	ftsan_buf_char(out, '.');
	ftsan_buf_u64(out, tenths % 10);
	ftsan_buf_str(out, " ms before");
}

void ftsan_freed_describe_block(const struct ftsan_freed_story *story,
				struct ftsan_buf *out)
{
	if (story->type[0] != '\0') {
		ftsan_buf_str(out, "a ");
		ftsan_buf_str(out, story->type);
		ftsan_buf_str(out, " of ");
	} else {
		ftsan_buf_str(out, "a block of ");
	}
	ftsan_buf_u64(out, story->bytes);
	ftsan_buf_str(out, " bytes");
}

void ftsan_freed_describe(const struct ftsan_freed_story *story, struct ftsan_buf *out)
{
	ftsan_freed_describe_block(story, out);
	if (story->offset != 0) {
		ftsan_buf_str(out, " (+");
		ftsan_buf_u64(out,
			      story->offset -
				      (story->object > 0 ? (uint32_t)story->object : 0));
		ftsan_buf_char(out, ')');
	}
	ftsan_buf_str(out, " that thread ");
	ftsan_buf_i64(out, story->tid);
	if (story->name[0] != '\0') {
		ftsan_buf_str(out, " ('");
		ftsan_buf_str(out, story->name);
		ftsan_buf_str(out, "')");
	}
	ftsan_buf_str(out, " freed ");
	put_ago(out, story->ago_ns);
}
