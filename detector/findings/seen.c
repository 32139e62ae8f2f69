#include "findings/seen.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/base.h"

static struct ftsan_seen *table;
static _Atomic uint32_t n_seen; /* written under the report's lock */

int ftsan_seen_init(void)
{
	ftsan_seen_clear();
	if (table == NULL)
		table = ftsan_sys_map(FTSAN_SEEN_MAX * sizeof(*table));
	return table == NULL ? -ENOMEM : 0;
}

void ftsan_seen_clear(void)
{
	atomic_store_explicit(&n_seen, 0, memory_order_relaxed);
}

uint32_t ftsan_seen_count(void)
{
	return atomic_load_explicit(&n_seen, memory_order_acquire);
}

static bool is_same(const struct ftsan_seen *seen, uint64_t fingerprint, uint64_t also)
{
	return seen->fingerprint == also || seen->also == fingerprint;
}

struct ftsan_seen *ftsan_seen_find(uint64_t fingerprint, uint64_t also)
{
	uint32_t n = ftsan_seen_count();

	for (uint32_t i = 0; i < n; i++)
		if (table[i].fingerprint == fingerprint)
			return &table[i];
	for (uint32_t i = 0; i < n; i++) {
		if (is_same(&table[i], fingerprint, also)) {
			if (table[i].also == 0)
				table[i].also = fingerprint;
			return &table[i];
		}
	}
	if (n == FTSAN_SEEN_MAX)
		return NULL;
	table[n] = (struct ftsan_seen){.fingerprint = fingerprint, .also = also};
	atomic_store_explicit(&n_seen, n + 1, memory_order_release);
	return &table[n];
}

bool ftsan_seen_add(struct ftsan_seen *seen, uint64_t evidence)
{
	seen->count++;
	for (uint32_t i = 0; i < seen->logged; i++)
		if (seen->evidence[i] == evidence)
			return false;
	if (seen->logged == FTSAN_EVIDENCE_MAX)
		return false;
	seen->evidence[seen->logged++] = evidence;
	return true;
}

const struct ftsan_seen *ftsan_seen_latest(uint32_t before)
{
	uint32_t n = ftsan_seen_count();

	/* The one that is being written has not occurred yet. */
	if (n > 0 && table[n - 1].count == 0)
		n--;
	return before < n ? &table[n - 1 - before] : NULL;
}

uint32_t ftsan_seen_logged(void)
{
	uint32_t n = ftsan_seen_count(), logged = 0;

	for (uint32_t i = 0; i < n; i++)
		logged += table[i].logged;
	return logged;
}

void ftsan_seen_duplicates(void (*visit)(uint64_t fingerprint, uint32_t more, void *to),
			   void *to)
{
	uint32_t n = ftsan_seen_count();

	for (uint32_t i = 0; i < n; i++)
		if (table[i].count > table[i].logged)
			visit(table[i].fingerprint, table[i].count - table[i].logged, to);
}
