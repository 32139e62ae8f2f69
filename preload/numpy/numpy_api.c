#include "numpy/numpy_api.h"

#include <stddef.h>

#include "base/base.h"
#include "elf/elf.h"
#include "numpy/numpy_args.h"
#include "numpy/numpy_ops.h"
#include "operations/operations.h"

enum { REGISTERS = 5 }; /* with more arguments, a function is a wide one */

static const struct {
	unsigned index;
	struct ftsan_op op;
} functions[] = {
#define FTSAN_API(n, function, how, n_args, which, written, required, mutates)           \
	{.index = (n),                                                                   \
	 .op = {.operation = {.owner = "", .name = #function, .mutator = (mutates)},     \
		.args = {.convention = FTSAN_ARGS_##how,                                 \
			 .objects = (which),                                             \
			 .outputs = (written),                                           \
			 .requirements = (required)},                                    \
		.wide = (n_args) > REGISTERS,                                            \
		.optional = true}},
#include "numpy/numpy_api.def"
#undef FTSAN_API
};

void ftsan_api_hook(void **table)
{
	if (!ftsan_latent())
		return;
	for (size_t i = 0; i < FTSAN_ARRAY_LEN(functions); i++) {
		void **entry = &table[functions[i].index];

		if (ftsan_writable(entry, sizeof(*entry)))
			ftsan_ops_hook(entry, &functions[i].op);
		else
			ftsan_count(left_out_operations);
	}
}
