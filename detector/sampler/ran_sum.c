#include "sampler/ran_sum.h"

#include <string.h>

#include "base/base.h"
#include "sampler/modules.h"
#include "sampler/sweep.h"

/* struct functions - where they begin, read a few at a time */
struct functions {
	const struct ftsan_sample_module *module;
	uintptr_t begins[64];
	uint32_t at, n, read;
};

/* Where the next function begins; UINTPTR_MAX: there is none. */
static uintptr_t next_function(struct functions *functions)
{
	if (functions->at == functions->n) {
		functions->n = ftsan_sweep_functions(functions->module->eh_frame_hdr,
						     functions->read, functions->begins,
						     FTSAN_ARRAY_LEN(functions->begins));
		functions->read += functions->n;
		functions->at = 0;
	}
	return functions->n == 0 ? UINTPTR_MAX : functions->begins[functions->at++];
}

static void add(struct ftsan_ran_sum *sum, uint32_t sites, uint8_t what)
{
	sum->functions += sites > 0;
	sum->seen += (what & FTSAN_RAN_SEEN) != 0;
	sum->shared += (what & FTSAN_RAN_SHARED) != 0;
}

static void add_up(const struct ftsan_sample_module *module, struct ftsan_ran_sum *sum)
{
	struct functions functions = {.module = module};
	uintptr_t next = next_function(&functions);
	uint32_t sites = 0;
	uint8_t what = 0;

	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < module->ran->n; i++) {
		uintptr_t address = ftsan_site_address(module, &module->sites[i]);

		if (address >= next) {
			add(sum, sites, what);
			sites = what = 0;
			while (address >= next)
				next = next_function(&functions);
		}
		sites++;
		what |= atomic_load_explicit(&module->ran->sites[i],
					     memory_order_relaxed);
	}
	add(sum, sites, what);
}

void ftsan_ran_sum(const struct ftsan_sample_module *module, struct ftsan_ran_sum *sum)
{
	*sum = (struct ftsan_ran_sum){.functions = 0};
	if (module->ran == NULL)
		return;
	if (atomic_exchange(&module->ran->changed, false))
		add_up(module, &module->ran->sum);
	*sum = module->ran->sum;
}

void ftsan_ran_forget(void)
{
	const struct ftsan_sample_module *module;
	unsigned n = ftsan_sample_modules();

	for (unsigned i = 0; i < n; i++) {
		module = ftsan_sample_module_at(i);
		if (module != NULL && module->ran != NULL)
			ftsan_ran_clear(module->ran);
	}
}
