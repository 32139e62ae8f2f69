#include "sampler/ran.h"

#include <sys/mman.h>

#include "base/base.h"

static size_t bytes_for(uint32_t n_sites)
{
	return sizeof(struct ftsan_ran) + n_sites;
}

struct ftsan_ran *ftsan_ran_make(uint32_t n_sites)
{
	struct ftsan_ran *ran = ftsan_sys_map(bytes_for(n_sites));

	if (ran != NULL) {
		ran->n = n_sites;
		atomic_store_explicit(&ran->changed, true, memory_order_relaxed);
	}
	return ran;
}

bool ftsan_ran_note(struct ftsan_sample_module *module,
		    const struct ftsan_sample_site *site, uint8_t what)
{
	struct ftsan_ran *ran = module->ran;
	uint64_t at = (uint64_t)(site - module->sites);

	if (ran == NULL || at >= ran->n ||
	    (atomic_load_explicit(&ran->sites[at], memory_order_relaxed) & what) == what)
		return false;
	atomic_fetch_or_explicit(&ran->sites[at], what, memory_order_relaxed);
	/* After the byte: who adds up takes this back first. */
	atomic_store_explicit(&ran->changed, true, memory_order_release);
	return true;
}

void ftsan_ran_clear(struct ftsan_ran *ran)
{
	uint32_t n = ran->n;

	/* Pages that nobody touches again take no memory of the child's. */
	(void)ftsan_sys_madvise(ran, bytes_for(n), MADV_DONTNEED);
	ran->n = n;
	atomic_store_explicit(&ran->changed, true, memory_order_relaxed);
}
