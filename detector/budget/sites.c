#include "budget/sites.h"

#include <stddef.h>

enum { SITES = 4096, PROBES = 16 };

static struct ftsan_site table[SITES];

struct ftsan_site *ftsan_site_of(uintptr_t ip)
{
	uint32_t at = (uint32_t)(ip * 0x9e3779b97f4a7c15ull >> 52);

	for (unsigned i = 0; i < PROBES; i++, at = (at + 1) % SITES) {
		uintptr_t expected = 0;

		if (atomic_load_explicit(&table[at].ip, memory_order_relaxed) == ip ||
		    atomic_compare_exchange_strong(&table[at].ip, &expected, ip) ||
		    expected == ip)
			return &table[at];
	}
	return NULL;
}

void ftsan_site_prove(uintptr_t ip)
{
	struct ftsan_site *site = ftsan_site_of(ip);

	if (site != NULL)
		atomic_store_explicit(&site->proven, true, memory_order_relaxed);
}

void ftsan_sites_reset(void)
{
	for (unsigned i = 0; i < SITES; i++) {
		atomic_store_explicit(&table[i].ip, 0, memory_order_relaxed);
		atomic_store_explicit(&table[i].windows, 0, memory_order_relaxed);
		atomic_store_explicit(&table[i].hazards, 0, memory_order_relaxed);
		atomic_store_explicit(&table[i].proven, false, memory_order_relaxed);
	}
}
