#include "sampler/same_word.h"

#include "base/base.h"
#include "sampler/arm.h"

enum { BUCKETS = 1 << 12, ENTRIES = 8 };

struct entry {
	_Atomic uint64_t key;
	struct ftsan_sample_module *_Atomic module;
	struct ftsan_sample_site *_Atomic site;
};

/* @next: of the bucket, the one that is overwritten. */
static struct bucket {
	_Atomic uint32_t next;
	struct entry entries[ENTRIES];
} buckets[BUCKETS];

static struct bucket *bucket_of(uint64_t key)
{
	return &buckets[(key * 0x9e3779b97f4a7c15ull >> 40) % BUCKETS];
}

static void note(uint64_t key, struct ftsan_sample_module *module,
		 struct ftsan_sample_site *site)
{
	struct bucket *bucket = bucket_of(key);
	struct entry *entry;

	for (unsigned i = 0; i < ENTRIES; i++)
		if (atomic_load_explicit(&bucket->entries[i].site,
					 memory_order_relaxed) == site &&
		    atomic_load_explicit(&bucket->entries[i].key, memory_order_relaxed) ==
			    key)
			return;
	entry = &bucket->entries[atomic_fetch_add_explicit(&bucket->next, 1,
							   memory_order_relaxed) %
				 ENTRIES];
	/* Torn between two writers it names a site of another word: one more trap. */
	atomic_store_explicit(&entry->key, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->module, module, memory_order_release);
	atomic_store_explicit(&entry->site, site, memory_order_release);
	atomic_store_explicit(&entry->key, key, memory_order_release);
}

void ftsan_same_word_note(const struct ftsan_same *same,
			  struct ftsan_sample_module *module,
			  struct ftsan_sample_site *site)
{
	note(same->word, module, site);
	if (same->around != 0)
		note(same->around, module, site);
}

static void arm(uint64_t key)
{
	struct bucket *bucket = bucket_of(key);

	for (unsigned i = 0; i < ENTRIES; i++) {
		struct entry *entry = &bucket->entries[i];
		struct ftsan_sample_module *module;
		struct ftsan_sample_site *site;

		if (atomic_load_explicit(&entry->key, memory_order_acquire) != key)
			continue;
		module = atomic_load_explicit(&entry->module, memory_order_acquire);
		site = atomic_load_explicit(&entry->site, memory_order_acquire);
		/* A torn entry may name a site of another module. */
		if (module != NULL && site != NULL)
			(void)ftsan_arm_site(module, site);
	}
}

void ftsan_same_word_arm(const struct ftsan_same *same)
{
	arm(same->word);
	if (same->around != 0)
		arm(same->around);
}
