#include "sampler/spare.h"

#include "base/base.h"
#include "decode/decode.h"
#include "sampler/site.h"
#include "stacks/stacks.h"

/* What is called reads a variable or two; 40 instructions in CPython 3.14. */
enum { MOST = 1024 };

static uintptr_t found[MOST];
static unsigned n_found;

static bool is_found(uintptr_t at)
{
	for (unsigned i = 0; i < n_found; i++)
		if (found[i] == at)
			return true;
	return false;
}

/* add() - false: there are too many. */
static bool add(const struct ftsan_module *module, uintptr_t at)
{
	if (at < module->begin || at >= module->end || is_found(at))
		return true;
	if (n_found == MOST)
		return false;
	found[n_found++] = at;
	return true;
}

static bool follow_branch(const struct ftsan_module *module,
			  const struct ftsan_flow *flow)
{
	uintptr_t target = flow->target;

	if (flow->slot != 0 && !ftsan_safe_ptr(flow->slot, &target))
		return false;
	return target != 0 && add(module, target);
}

static bool follow(uintptr_t at)
{
	const struct ftsan_module *module = ftsan_module_of(at);
	unsigned char code[FTSAN_INSN_MAX];
	struct ftsan_flow flow;
	size_t room;

	if (module == NULL)
		return false;
	room = ftsan_text_read(code, at, sizeof(code));
	return ftsan_flow_decode(&flow, at, code, room) &&
	       (!flow.goes_on || add(module, at + flow.length)) &&
	       (!flow.branches || follow_branch(module, &flow));
}

bool ftsan_spare_find(const uintptr_t *functions, unsigned n)
{
	n_found = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct ftsan_module *module = ftsan_module_of(functions[i]);

		if (functions[i] != 0 && (module == NULL || !add(module, functions[i])))
			return false;
	}
	for (unsigned i = 0; i < n_found; i++)
		if (!follow(found[i]))
			return false;
	return true;
}

void ftsan_spare_sites(struct ftsan_sample_module *module)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < module->n_sites; i++)
		if (!is_found(ftsan_site_address(module, &module->sites[i])))
			module->sites[kept++] = module->sites[i];
	module->n_sites = kept;
}
