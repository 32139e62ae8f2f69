#include "sampler/modules.h"

#include <fcntl.h>
#include <link.h>
#include <string.h>

#include "base/base.h"
#include "sampler/cache.h"
#include "sampler/choose.h"
#include "sampler/ran.h"
#include "sampler/spare.h"
#include "sampler/sweep.h"
#include "stacks/stacks.h"

static struct ftsan_sample_module table[FTSAN_SAMPLED_MAX];
static _Atomic uint32_t n_table; /* entries ever used */

struct look {
	const char *choice;
	const struct ftsan_module *interpreter, *only;
	bool (*made)(struct ftsan_sample_module *module);
	unsigned fresh;
	bool executable_seen;
	bool there[FTSAN_SAMPLED_MAX];
};

/* One caller at a time. */
static struct look look;

static bool is_ready(const struct ftsan_sample_module *module)
{
	return atomic_load_explicit(&module->state, memory_order_acquire) ==
	       FTSAN_MODULE_READY;
}

unsigned ftsan_sample_modules(void)
{
	return atomic_load_explicit(&n_table, memory_order_acquire);
}

struct ftsan_sample_module *ftsan_sample_module_at(unsigned i)
{
	return i < ftsan_sample_modules() && is_ready(&table[i]) ? &table[i] : NULL;
}

struct ftsan_sample_module *ftsan_sample_module_of(uintptr_t pc)
{
	unsigned n = ftsan_sample_modules();

	for (unsigned i = 0; i < n; i++)
		if (pc >= table[i].text_begin && pc < table[i].text_end &&
		    is_ready(&table[i]))
			return &table[i];
	return NULL;
}

/* lower_bound() - the first site that does not begin before @pc. */
static uint32_t lower_bound(const struct ftsan_sample_module *module, uintptr_t pc)
{
	uint32_t low = 0, high = module->n_sites;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (ftsan_site_address(module, &module->sites[middle]) < pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct ftsan_sample_site *ftsan_sample_site_at(const struct ftsan_sample_module *module,
					       uintptr_t pc)
{
	uint32_t i = lower_bound(module, pc);

	return i < module->n_sites && ftsan_site_address(module, &module->sites[i]) == pc
		       ? &module->sites[i]
		       : NULL;
}

struct ftsan_sample_site *
ftsan_sample_site_before(const struct ftsan_sample_module *module, uintptr_t pc)
{
	uint32_t i = lower_bound(module, pc);

	return i == 0 ? NULL : &module->sites[i - 1];
}

void ftsan_sample_restore(uintptr_t at, unsigned char *code, size_t n)
{
	const struct ftsan_sample_module *module = ftsan_sample_module_of(at);
	uintptr_t address;

	/* What a page before the text is copied with has no sites. */
	if (module == NULL)
		module = ftsan_sample_module_of(at + n - 1);
	if (module == NULL)
		return;
	for (uint32_t i = lower_bound(module, at); i < module->n_sites; i++) {
		address = ftsan_site_address(module, &module->sites[i]);
		if (address - at >= n)
			return;
		if (code[address - at] == FTSAN_CPU_BREAKPOINT)
			code[address - at] = module->sites[i].original;
	}
}

/* --- new ones ------------------------------------------------------------------------
 */

static struct ftsan_sample_module *same(const struct ftsan_image *image,
					const struct ftsan_module *module)
{
	unsigned n = ftsan_sample_modules();

	for (unsigned i = 0; i < n; i++)
		if (is_ready(&table[i]) && table[i].module == module &&
		    table[i].bias == image->bias) {
			look.there[i] = true;
			return &table[i];
		}
	return NULL;
}

static struct ftsan_sample_module *take_entry(void)
{
	unsigned n = ftsan_sample_modules();

	for (unsigned i = 0; i < n; i++)
		if (atomic_load_explicit(&table[i].state, memory_order_relaxed) ==
		    FTSAN_MODULE_FREE)
			return &table[i];
	if (n == FTSAN_SAMPLED_MAX)
		return NULL;
	atomic_store_explicit(&n_table, n + 1, memory_order_release);
	return &table[n];
}

static void make(const struct ftsan_image *image, const struct ftsan_module *module)
{
	struct ftsan_sample_module *entry = take_entry();

	if (entry == NULL)
		return;
	atomic_store_explicit(&entry->state, FTSAN_MODULE_MAKING, memory_order_release);
	entry->module = module;
	entry->bias = image->bias;
	entry->text_begin = image->text_begin;
	entry->text_end = image->text_end;
	entry->armed_once = false;
	entry->traits = (struct ftsan_sample_traits){
		.folds = ftsan_elf_folds_atomics(module->path)};
	if (!ftsan_cache_load(module, image, &entry->sites, &entry->n_sites,
			      &entry->traits)) {
		entry->n_sites = ftsan_sweep(image, &entry->sites, &entry->traits);
		ftsan_cache_store(module, image, entry->sites, entry->n_sites,
				  &entry->traits);
	}
	entry->interpreter = module == look.interpreter;
	entry->with_cpython = ftsan_path_is_stdlib(module->path);
	if (entry->interpreter)
		ftsan_spare_sites(entry);
	entry->eh_frame_hdr = image->eh_frame_hdr;
	entry->ran = entry->n_sites > 0 ? ftsan_ran_make(entry->n_sites) : NULL;
	look.there[entry - table] = true;
	if (look.made != NULL && entry->n_sites > 0 && !look.made(entry))
		entry->n_sites = 0;
	look.fresh += entry->n_sites > 0;
	/* Without sites it stays as well, or it would be swept again and again. */
	atomic_store_explicit(&entry->state, FTSAN_MODULE_READY, memory_order_release);
}

static bool is_python(const char *path, bool executable)
{
	const char *slash = strrchr(path, '/');

	return executable || (slash != NULL && strncmp(slash, "/libpython", 10) == 0);
}

static int visit(struct dl_phdr_info *info, size_t size, void *unused)
{
	bool executable = !look.executable_seen && info->dlpi_name[0] == '\0';
	const struct ftsan_module *module;
	struct ftsan_image image;

	(void)size;
	(void)unused;
	look.executable_seen |= executable;
	if (!ftsan_image_read(info, &image))
		return 0;
	module = ftsan_module_of(image.text_begin);
	if (module == NULL || module->bias != image.bias || same(&image, module) != NULL)
		return 0;
	if (look.only != NULL && look.only != module)
		return 0;
	if (module == look.interpreter
		    ? ftsan_sample_asks_interpreter(look.choice)
		    : ftsan_sample_chosen(module->path, look.choice,
					  is_python(module->path, executable)))
		make(&image, module);
	return 0;
}

void ftsan_modules_unloaded(bool (*is_loaded)(uintptr_t address))
{
	unsigned n = ftsan_sample_modules();

	for (unsigned i = 0; i < n; i++)
		if (is_ready(&table[i]) && !is_loaded(table[i].text_begin))
			atomic_store_explicit(&table[i].state, FTSAN_MODULE_FREE,
					      memory_order_release);
}

unsigned ftsan_modules_sample(int (*iterate)(ftsan_phdr_callback, void *),
			      const char *choice, const struct ftsan_module *interpreter,
			      const struct ftsan_module *only,
			      bool (*made)(struct ftsan_sample_module *module))
{
	unsigned n;

	memset(&look, 0, sizeof(look));
	look.choice = choice;
	look.interpreter = interpreter;
	look.only = only;
	look.made = made;
	(void)iterate(visit, NULL);
	n = ftsan_sample_modules();
	for (unsigned i = 0; i < n; i++)
		if (is_ready(&table[i]) && !look.there[i])
			atomic_store_explicit(&table[i].state, FTSAN_MODULE_FREE,
					      memory_order_release);
	return look.fresh;
}
