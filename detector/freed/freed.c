#include "freed/freed.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/base.h"
#include "freed/double_free.h"
#include "freed/ring.h"
#include "freed/sites.h"
#include "freed/types.h"
#include "memory/memory.h"
#include "threads/threads.h"

enum {
	/* Include/object.h, 3.13 to 3.15: ob_tid, flags, mutex, ob_gc_bits. */
	GC_BITS = 11,
	/* Objects/obmalloc.c (bumpserialno() and what is below it): with
	 * PYTHONMALLOC=debug a block has its size, who allocates, seven bytes of padding
	 * in front, and eight behind. */
	DEBUG_HEAD = 16,
	DEBUG_TAIL = 8,
	DEBUG_PADDING = 0xfd,
};

static struct ftsan_freed_host host;
static const char *const states[] = {
	[FTSAN_FREED_OFF] = "switched off (freed=off)",
	[FTSAN_FREED_AUTO] = "extensions' objects and buffers; of frequent ones a sample",
	[FTSAN_FREED_OWN] =
		"objects of extensions' types, and buffers that extensions free",
	[FTSAN_FREED_ALL] = "all blocks up to 16 KiB",
};
static const char *state = "switched off (freed=off)";

/* Of a limit of the process's memory, less than the arena takes. */
enum { LIMIT_SHARE = 256 };

static uint64_t budget_of(const struct ftsan_options *options)
{
	uint64_t budget = (uint64_t)options->freed_mb << 20;
	uint64_t most = ftsan_sys_memory_limit() / LIMIT_SHARE;

	return most < budget ? most : budget;
}

int ftsan_freed_init(const struct ftsan_options *options,
		     const struct ftsan_freed_host *the_host)
{
	enum ftsan_freed_mode wanted = FTSAN_FREED_OFF;
	int error = 0;

	ftsan_ticks_begin();
	host = *the_host;
	atomic_store(&ftsan_freed_types.mode, FTSAN_FREED_OFF);
	if (!ftsan_freed_mode(options->freed, &wanted)) {
		state = "unknown value of the option freed";
		return -EINVAL;
	}
	state = states[wanted];
	if (wanted == FTSAN_FREED_OFF)
		return -ENOTSUP;
	if (!the_host->abi->known || !the_host->abi->free_threaded ||
	    strcmp(ftsan_memory_blocks_name(), "mimalloc") != 0) {
		state = "sizes of blocks are known in free-threaded builds only";
		return -ENOTSUP;
	}
	error = ftsan_freed_sites_init();
	if (error == 0)
		error = ftsan_ring_init(budget_of(options), ftsan_freed_most(wanted),
					the_host->release);
	if (error != 0) {
		state = "no memory for its records";
		return error;
	}
	ftsan_types_init(the_host);
	state = states[wanted];
	atomic_store(&ftsan_freed_types.mode, (int)wanted);
	return 0;
}

const char *ftsan_freed_name(void)
{
	return state;
}

void ftsan_freed_stop(void)
{
	if (atomic_exchange(&ftsan_freed_types.mode, FTSAN_FREED_OFF) != FTSAN_FREED_OFF)
		ftsan_ring_drain();
}

void ftsan_freed_count(void)
{
	atomic_store(&ftsan_counters.freed_held, ftsan_ring_puts());
}

void ftsan_freed_fork_child(void)
{
	ftsan_ring_fork_child();
	ftsan_freed_sites_fork_child();
	ftsan_double_free_fork_child();
}

/* --- what a block is ------------------------------------------------------------------
 */

/**
 * struct block - what free was called with
 * @bytes:  that belong to the program, 0: not known
 * @object: bytes before the object, -1: none
 */
struct block {
	uint32_t bytes;
	int object;
	uintptr_t type;
};

static bool is_padding(const unsigned char *from, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		if (from[i] != DEBUG_PADDING)
			return false;
	return true;
}

static bool is_debug_head(const unsigned char *head)
{
	return (head[8] == 'r' || head[8] == 'm' || head[8] == 'o') &&
	       is_padding(head + 9, DEBUG_HEAD - 9);
}

static uint64_t big_endian(const unsigned char *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof(value));
	return __builtin_bswap64(value);
}

static uint64_t usable(uintptr_t at, const struct ftsan_memory *memory)
{
	const unsigned char *block = (const unsigned char *)at;
	uint64_t bytes;

	if (at == memory->begin)
		return memory->size;
	if (at - memory->begin != DEBUG_HEAD || !is_debug_head(block - DEBUG_HEAD))
		return 0;
	bytes = big_endian(block - DEBUG_HEAD);
	/* Whoever wrote past the end is told of by CPython, at this free and no later. */
	return bytes <= memory->size - DEBUG_HEAD - DEBUG_TAIL &&
			       is_padding(block + bytes, DEBUG_TAIL)
		       ? bytes
		       : 0;
}

static bool is_block(const struct ftsan_memory *memory)
{
	return memory->kind == FTSAN_MEMORY_BLOCK || memory->kind == FTSAN_MEMORY_OBJECT;
}

/* What object lies in it. Larger buffers, too, come from the objects' heap. */
static void look_at_object(uintptr_t at, int object, struct block *out)
{
	/* Too small for an object: PyObject_Malloc() gives buffers of any size. */
	if (object < 0 || out->bytes < (uint32_t)object + host.abi->object_size)
		return;
	out->object = object;
	out->type = ftsan_member(at + (unsigned)object, host.abi->ob_type);
	if (FTSAN_LIKELY(ftsan_type_known(out->type) != FTSAN_TYPE_UNKNOWN))
		return;
	if (ftsan_memory_is_type(out->type))
		/* So as not to ask again. */
		(void)ftsan_type_is_own(out->type);
	else
		out->type = 0;
}

static void look_closely(uintptr_t at, struct block *out)
{
	struct ftsan_memory memory;
	uint64_t bytes;

	ftsan_memory_look_block(at, &memory);
	if (!is_block(&memory))
		return;
	bytes = usable(at, &memory);
	out->bytes = bytes <= FTSAN_FREED_BLOCK_MAX ? (uint32_t)bytes : 0;
	if (memory.kind == FTSAN_MEMORY_OBJECT)
		look_at_object(at, (int)(memory.object - at), out);
}

/* @live: it is the first byte of a block of the interpreter's allocator for certain. */
static void look(uintptr_t at, bool live, struct block *out)
{
	struct ftsan_live known = {0};

	*out = (struct block){.object = -1};
	if (live)
		known = ftsan_memory_live(at);
	if (FTSAN_UNLIKELY(known.bytes == 0)) {
		look_closely(at, out);
		return;
	}
	out->bytes = known.bytes <= FTSAN_FREED_BLOCK_MAX ? known.bytes : 0;
	look_at_object(at, known.object, out);
}

uint32_t ftsan_freed_usable(uintptr_t at)
{
	struct block block;

	look(at, false, &block);
	return block.bytes;
}

/* --- holding --------------------------------------------------------------------------
 */

static void fill(const struct ftsan_freed_record *record, uint32_t serial)
{
	struct ftsan_freed_span spans[FTSAN_FREED_SPANS];
	int object = record->object == FTSAN_NO_OBJECT ? -1 : record->object * 8;
	unsigned n = ftsan_freed_spans(record->bytes, object, host.abi->ob_type, spans);
	uint64_t value = ftsan_freed_fill(serial);

	if (object >= 0)
		*(unsigned char *)(record->block + (unsigned)object + GC_BITS) = 0;
	for (unsigned i = 0; i < n; i++)
		for (uint32_t k = spans[i].begin; k < spans[i].end; k += 8)
			memcpy((void *)(record->block + k), &value, sizeof(value));
}

static bool hold(uintptr_t at, const struct block *block,
		 const struct ftsan_freed_from *from)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	struct ftsan_freed_record record = {
		.tid = thread != NULL
			       ? atomic_load_explicit(&thread->tid, memory_order_relaxed)
			       : ftsan_sys_gettid(),
		.block = at,
		.ticks = ftsan_cpu_ticks(),
		.bytes = (uint16_t)block->bytes,
		.site = ftsan_freed_site_here(block->type, from->pc),
		.origin = (uint8_t)from->origin,
		.object = block->object < 0 ? FTSAN_NO_OBJECT
					    : (uint8_t)(block->object / 8),
	};

	if (ftsan_ring_put(&record, fill) == 0) {
		ftsan_count(freed_left_out);
		return false;
	}
	return true;
}

static void count(struct ftsan_freed_facts *facts, uintptr_t at, uintptr_t key)
{
	enum ftsan_type_known known = ftsan_type_known(key);

	if (key == 0 || (!facts->own_call && !facts->own_type))
		return;
	/* Whoever comes this far has his turn, unless nobody could look. */
	facts->turn =
		facts->own_call || !ftsan_freed_at_edge(at) || !ftsan_type_passes(known);
	if (facts->turn)
		facts->before = ftsan_type_count(key);
	else
		facts->before = FTSAN_FREED_FEW;
}

bool ftsan_freed_take(uintptr_t at, const struct ftsan_freed_from *from)
{
	struct ftsan_freed_facts facts = {.mode = ftsan_freed_mode_now(),
					  .own_call = from->own_call,
					  .detached = from->detached};
	int saved_errno = errno;
	struct block block;
	bool taken = false;

	if (facts.mode == FTSAN_FREED_OFF)
		return false;
	facts.held = ftsan_freed_looks_held(at) && ftsan_freed_is_held(at);
	if (!facts.held) {
		look(at, from->live, &block);
		facts.bytes = block.bytes;
		facts.own_type = block.type != 0 && facts.mode != FTSAN_FREED_ALL &&
				 ftsan_type_is_own(block.type);
		/* An object of another type that an extension frees is no buffer. */
		facts.own_call &= block.type == 0;
		if (facts.mode == FTSAN_FREED_AUTO)
			count(&facts, at,
			      facts.own_call ? from->pc & ~(uintptr_t)7 : block.type);
	}
	switch (ftsan_freed_judge(&facts)) {
	case FTSAN_FREED_TWICE:
		ftsan_double_free_report(at, true);
		taken = true;
		break;
	case FTSAN_FREED_KEEP:
		taken = hold(at, &block, from);
		break;
	case FTSAN_FREED_PASS:
		break;
	}
	errno = saved_errno;
	return taken;
}

bool ftsan_freed_given_back(uintptr_t object)
{
	int saved_errno = errno;

	if (!ftsan_freed_looks_held(object) ||
	    ftsan_freed_mode_now() == FTSAN_FREED_OFF || !ftsan_freed_is_held(object))
		return false;
	ftsan_double_free_report(object, false);
	errno = saved_errno;
	return true;
}
