#include "freed/sites.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/base.h"
#include "memory/memory.h"

enum {
	SITES = 8192,
	TABLE = 4 * SITES, /* entries of the hash table */
	PROBES = 8,
	FRAMES = 3,
};

/* An entry: the place's hash, and its number in the low bits. */
static _Atomic uint64_t table[TABLE];
static struct ftsan_freed_site *sites;
static _Atomic uint16_t n_sites;
static _Atomic int adding; /* tid of who adds one */
/* Of who adds one; too large for any thread's stack. */
static struct ftsan_stack captured;

#define NUMBER_MASK ((uint64_t)SITES - 1)

int ftsan_freed_sites_init(void)
{
	if (sites == NULL)
		sites = ftsan_sys_map(SITES * sizeof(*sites));
	return sites != NULL ? 0 : -ENOMEM;
}

/* Products that do not wait for each other: this is asked for every block. */
static uint64_t hash_here(uintptr_t type, uintptr_t pc)
{
	static const uint64_t odd[FRAMES] = {UINT64_C(0xd6e8feb86659fd93),
					     UINT64_C(0xa0761d6478bd642f),
					     UINT64_C(0xe7037ed1a0b428db)};
	uint64_t hash =
		type * UINT64_C(0x9e3779b97f4a7c15) + pc * UINT64_C(0xff51afd7ed558ccd);
	uintptr_t frame = ftsan_abi.known ? ftsan_frame_here() : 0;

	for (unsigned i = 0; i < FRAMES && frame != 0; i++) {
		hash += ftsan_frame_instr(frame) * odd[i];
		frame = ftsan_member(frame, ftsan_abi.frame_previous);
	}
	return ftsan_hash_word(hash, 0) & ~NUMBER_MASK;
}

static void cut(struct ftsan_freed_site *to, const struct ftsan_stack *from)
{
	to->n_native = from->n_native < FTSAN_FREED_SITE_NATIVE ? from->n_native
								: FTSAN_FREED_SITE_NATIVE;
	to->n_python = from->n_python < FTSAN_FREED_SITE_PYTHON ? from->n_python
								: FTSAN_FREED_SITE_PYTHON;
	to->truncated = from->truncated || to->n_native < from->n_native ||
			to->n_python < from->n_python;
	memcpy(to->pc, from->pc, to->n_native * sizeof(to->pc[0]));
	memcpy(to->python, from->python, to->n_python * sizeof(to->python[0]));
}

/* Captures the stack: takes the loader's lock, which is why nobody waits for this. */
static uint16_t add(_Atomic uint64_t *entry, uint64_t hash, uintptr_t type)
{
	uint16_t number = (uint16_t)(atomic_load(&n_sites) + 1);
	int nobody = 0;

	/* A full table is asked for every block of a place that is not in it. */
	if (number >= SITES ||
	    !atomic_compare_exchange_strong(&adding, &nobody, ftsan_sys_gettid()))
		return 0;
	number = (uint16_t)(atomic_load(&n_sites) + 1);
	if (number < SITES && atomic_load(entry) == 0) {
		ftsan_stack_capture_top(&captured, FTSAN_FREED_SITE_NATIVE,
					FTSAN_FREED_SITE_PYTHON);
		cut(&sites[number], &captured);
		if (!ftsan_memory_type_name(type, sites[number].type))
			sites[number].type[0] = '\0';
		atomic_store(&n_sites, number);
		atomic_store_explicit(entry, hash | number, memory_order_release);
	} else {
		number = 0;
	}
	atomic_store(&adding, 0);
	return number;
}

uint16_t ftsan_freed_site_here(uintptr_t type, uintptr_t pc)
{
	uint64_t hash = hash_here(type, pc);
	uint32_t at = (uint32_t)(hash >> 40);

	for (unsigned i = 0; i < PROBES; i++) {
		_Atomic uint64_t *entry = &table[(at + i) % TABLE];
		uint64_t value = atomic_load_explicit(entry, memory_order_acquire);

		if (value == 0)
			return add(entry, hash, type);
		if ((value & ~NUMBER_MASK) == hash)
			return value & NUMBER_MASK;
	}
	return 0;
}

const struct ftsan_freed_site *ftsan_freed_site_at(uint16_t number)
{
	return number != 0 && sites != NULL && number <= atomic_load(&n_sites)
		       ? &sites[number]
		       : NULL;
}

void ftsan_freed_sites_fork_child(void)
{
	atomic_store(&adding, 0);
}
