#include "freed/ring.h"

#include <errno.h>
#include <stddef.h>

#include "base/base.h"
#include "threads/threads.h"

/* A serial: cycle, slot, shard. */
enum {
	SHARD_BITS = 6,
	SLOT_BITS = 14,
	SHARDS = 1 << SHARD_BITS,
	SLOTS = 1 << SLOT_BITS,
	SLOTS_LEAST = SLOTS / 4,
	CYCLES = (1 << (32 - SHARD_BITS - SLOT_BITS)) - 1,
	TRIES = 3,    /* shards that are looked at before a block is let go */
	BATCH = 32,   /* blocks that are released at a time */
	AT_ONCE = 64, /* more than these are not released for one that comes */
	AHEAD = 8,    /* a block's lines are fetched when so many leave before it */
	LINE = 64,
};

#define TOO_MUCH (1 << 30) /* no tid is as large: FUTEX_TID_MASK */

/**
 * struct shard - what a thread, or a few, have freed
 * @owner: tid of who is in it, 0: nobody; with TOO_MUCH, another thread wanted to take
 *         something out of it
 * @head, @tail: numbers of the next record and of the oldest; @tail is not changed in a
 *         shard that nobody is in
 * @bytes: of the blocks between them
 */
struct shard {
	_Alignas(64) _Atomic int owner;
	uint32_t head, tail;
	uint64_t bytes;
	_Atomic uint64_t puts;
	struct ftsan_freed_record *_Atomic records;
};

static struct shard shards[SHARDS];
static _Atomic uint32_t in_use; /* shards with records */
static uint64_t budget;
static _Atomic uint64_t share; /* of each shard with records */
static uint32_t slots_most;    /* blocks of a shard */
/* Records of a shard, a power of two: those of blocks that have left tell their story for
 * a while, but what is written for each free is to stay in the processor's cache. */
static uint32_t slots = SLOTS;
static void (*release)(unsigned origin, uintptr_t block);

/* Once for all blocks to come: a division takes longer than the rest of a put. */
static void share_out(void)
{
	uint32_t n;

	do {
		n = atomic_load(&in_use);
		atomic_store(&share, budget / (n > 0 ? n : 1));
	} while (atomic_load(&in_use) != n);
}

static uint64_t share_now(void)
{
	return atomic_load_explicit(&share, memory_order_relaxed);
}

/* Where the record of that number is. */
static uint32_t slot_of(uint32_t number)
{
	return number & (slots - 1);
}

static uint32_t slots_for(uint32_t most)
{
	uint32_t n = SLOTS_LEAST;

	while (n < SLOTS && n < 2 * most)
		n *= 2;
	return n;
}

int ftsan_ring_init(uint64_t budget_bytes, uint32_t most_blocks,
		    void (*how)(unsigned origin, uintptr_t block))
{
	/* Records that are there stay where their serials say. */
	if (atomic_load(&in_use) == 0)
		slots = slots_for(most_blocks);
	slots_most = most_blocks < slots ? most_blocks : slots;
	budget = budget_bytes;
	share_out();
	release = how;
	return 0;
}

static bool enter(struct shard *shard, int tid)
{
	int nobody = 0;

	return atomic_load_explicit(&shard->owner, memory_order_relaxed) == 0 &&
	       atomic_compare_exchange_strong_explicit(&shard->owner, &nobody, tid,
						       memory_order_acquire,
						       memory_order_relaxed);
}

/* True: it may hold too much by now, which who leaves has to see to. */
static bool leave(struct shard *shard)
{
	return atomic_exchange_explicit(&shard->owner, 0, memory_order_acq_rel) &
	       TOO_MUCH;
}

/* Enters it, or has the thread that is in it trim it. */
static bool enter_or_ask(struct shard *shard, int tid)
{
	int owner = 0;

	while (!enter(shard, tid)) {
		owner = atomic_load(&shard->owner);
		if (owner != 0 && atomic_compare_exchange_strong(&shard->owner, &owner,
								 owner | TOO_MUCH))
			return false;
	}
	return true;
}

struct batch {
	unsigned n;
	uintptr_t block[BATCH];
	uint8_t origin[BATCH];
};

/* Takes the oldest ones out until the bounds are kept. */
static void take_oldest(struct shard *shard, struct batch *out)
{
	struct ftsan_freed_record *of = atomic_load(&shard->records);
	uint64_t bytes = share_now();

	out->n = 0;
	while (out->n < BATCH && shard->tail != shard->head &&
	       (shard->bytes > bytes || shard->head - shard->tail >= slots_most)) {
		struct ftsan_freed_record *oldest = &of[slot_of(shard->tail)];

		shard->tail++;
		shard->bytes -= oldest->bytes;
		/* Whoever frees it a second time is late. */
		atomic_store_explicit(&oldest->held, false, memory_order_relaxed);
		out->block[out->n] = oldest->block;
		out->origin[out->n++] = oldest->origin;
	}
}

/*
 * Whoever is given a block that was last used thousands of frees ago waits for its cache
 * lines: they are fetched while the ones before it leave. Of no address that is not
 * mapped any more does a prefetch do harm.
 */
static void fetch_ahead(const struct shard *shard)
{
	const struct ftsan_freed_record *of =
		atomic_load_explicit(&shard->records, memory_order_relaxed);
	uint32_t next = shard->tail + AHEAD;
	uintptr_t block;

	if (next >= shard->head)
		return;
	block = of[slot_of(next)].block;
	__builtin_prefetch((const void *)block, 1);
	__builtin_prefetch((const void *)(block + LINE), 1);
}

static void release_all(const struct batch *batch)
{
	for (unsigned i = 0; i < batch->n; i++)
		release(batch->origin[i], batch->block[i]);
}

/* Not in the shard: releasing takes as long as it takes. @most: ends sooner, unless
 * another thread has asked for all of it. */
static void trim(struct shard *shard, int tid, unsigned most)
{
	struct batch batch;
	bool more = true;

	for (unsigned done = 0; more && done < most; done += batch.n) {
		if (!enter_or_ask(shard, tid))
			return;
		take_oldest(shard, &batch);
		more = batch.n > 0;
		if (leave(shard)) {
			most = UINT32_MAX;
			more = true;
		}
		release_all(&batch);
	}
}

/* The first block of a shard: the others have less room from now on. */
static bool open_shard(struct shard *shard, int tid)
{
	struct ftsan_freed_record *records =
		ftsan_sys_map(slots * sizeof(struct ftsan_freed_record));

	if (records == NULL)
		return false;
	atomic_store(&shard->records, records);
	atomic_fetch_add(&in_use, 1);
	share_out();
	for (unsigned i = 0; i < SHARDS; i++)
		if (&shards[i] != shard && atomic_load(&shards[i].records) != NULL)
			trim(&shards[i], tid, UINT32_MAX);
	return true;
}

static struct shard *enter_one(int tid, unsigned *number)
{
	const struct ftsan_thread *thread = ftsan_thread_mine;
	unsigned first = thread != NULL ? thread->index : 0;

	for (unsigned i = 0; i < TRIES; i++) {
		*number = (first + i) % SHARDS;
		if (enter(&shards[*number], tid))
			return &shards[*number];
	}
	return NULL;
}

static uint32_t serial_of(uint32_t head, unsigned shard)
{
	uint32_t cycle = head / SLOTS % CYCLES + 1;

	return cycle << (SHARD_BITS + SLOT_BITS) | head % SLOTS << SHARD_BITS | shard;
}

static uint32_t put(struct shard *shard, unsigned number,
		    const struct ftsan_freed_record *record)
{
	struct ftsan_freed_record *to = &atomic_load_explicit(
		&shard->records, memory_order_relaxed)[slot_of(shard->head)];
	uint32_t serial = serial_of(shard->head, number);

	atomic_store_explicit(&to->serial, 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	to->tid = record->tid;
	to->block = record->block;
	to->ticks = record->ticks;
	to->bytes = record->bytes;
	to->site = record->site;
	to->origin = record->origin;
	to->object = record->object;
	atomic_store_explicit(&to->held, true, memory_order_relaxed);
	atomic_store_explicit(&to->serial, serial, memory_order_release);
	shard->head++;
	atomic_store_explicit(&shard->puts,
			      atomic_load_explicit(&shard->puts, memory_order_relaxed) +
				      1,
			      memory_order_relaxed);
	shard->bytes += record->bytes;
	return serial;
}

uint32_t ftsan_ring_put(const struct ftsan_freed_record *record,
			void (*fill)(const struct ftsan_freed_record *record,
				     uint32_t serial))
{
	int tid = record->tid;
	uint32_t serial = 0;
	unsigned number;
	struct shard *shard = enter_one(tid, &number);
	struct batch batch;
	bool asked;

	if (shard == NULL)
		return 0;
	if ((atomic_load_explicit(&shard->records, memory_order_relaxed) == NULL &&
	     !open_shard(shard, tid)) ||
	    shard->head - shard->tail == slots) {
		batch.n = 0;
	} else {
		serial = put(shard, number, record);
		/* While it can't be released yet. */
		fill(record, serial);
		take_oldest(shard, &batch);
		if (FTSAN_LIKELY(batch.n > 0))
			fetch_ahead(shard);
	}
	asked = leave(shard);
	release_all(&batch);
	if (FTSAN_UNLIKELY(asked || batch.n == BATCH))
		trim(shard, tid, asked ? UINT32_MAX : AT_ONCE);
	return serial;
}

const struct ftsan_freed_record *ftsan_ring_at(uint32_t serial)
{
	const struct ftsan_freed_record *records =
		atomic_load(&shards[serial % SHARDS].records);

	if (serial == 0 || records == NULL)
		return NULL;
	records += slot_of(serial >> SHARD_BITS);
	return atomic_load(&records->serial) == serial ? records : NULL;
}

static bool holds(const struct ftsan_freed_record *record, uintptr_t address)
{
	return atomic_load_explicit(&record->serial, memory_order_acquire) != 0 &&
	       atomic_load_explicit(&record->held, memory_order_relaxed) &&
	       address - record->block < record->bytes;
}

const struct ftsan_freed_record *ftsan_ring_find(uintptr_t address)
{
	for (unsigned i = 0; i < SHARDS; i++) {
		const struct ftsan_freed_record *records =
			atomic_load(&shards[i].records);

		for (unsigned k = 0; records != NULL && k < slots; k++)
			if (holds(&records[k], address))
				return &records[k];
	}
	return NULL;
}

uint64_t ftsan_ring_puts(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < SHARDS; i++)
		sum += atomic_load_explicit(&shards[i].puts, memory_order_relaxed);
	return sum;
}

void ftsan_ring_drain(void)
{
	int tid = ftsan_sys_gettid();

	budget = 0;
	slots_most = 0;
	share_out();
	for (unsigned i = 0; i < SHARDS; i++)
		if (atomic_load(&shards[i].records) != NULL)
			trim(&shards[i], tid, UINT32_MAX);
}

void ftsan_ring_fork_child(void)
{
	for (unsigned i = 0; i < SHARDS; i++) {
		if (atomic_load(&shards[i].owner) == 0)
			continue;
		shards[i].tail = shards[i].head;
		shards[i].bytes = 0;
		atomic_store(&shards[i].owner, 0);
	}
}
