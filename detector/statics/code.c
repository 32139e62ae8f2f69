/* What kind of code it is that stores. */
#include "base/base.h"
#include "stacks/stacks.h"
#include "statics/config.h"
#include "statics/store.h"

enum static_code static_code_of(uintptr_t pc)
{
	static const char *const libc[] = {"libc.so", "libc-2", "libpthread", "libm.so"};
	static const char *const foreign[] = {
		"ld-linux",    "libgomp",	    "libiomp", "libomp",
		"libopenblas", "libscipy_openblas", "libftsan"};
	const struct ftsan_module *module = ftsan_module_of(pc);
	const char *name;

	if (module == NULL || module == static_config.interpreter)
		return STATIC_CODE_FOREIGN;
	name = ftsan_str_base_name(module->path);
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(libc); i++)
		if (ftsan_str_begins(name, libc[i]))
			return STATIC_CODE_LIBC;
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(foreign); i++)
		if (ftsan_str_begins(name, foreign[i]))
			return STATIC_CODE_FOREIGN;
	return STATIC_CODE_MODULE;
}
