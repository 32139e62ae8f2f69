#include "symbols/demangle.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

typedef char *(*demangler)(const char *name, char *to, size_t *size, int *status);

static demangler open_demangler(void)
{
	static const char *const libraries[] = {"libstdc++.so.6", "libc++abi.so.1"};

	for (size_t i = 0; i < FTSAN_ARRAY_LEN(libraries); i++) {
		void *library = dlopen(libraries[i], RTLD_NOW | RTLD_LOCAL);
		void *symbol = library != NULL ? dlsym(library, "__cxa_demangle") : NULL;

		if (symbol != NULL)
			return (demangler)symbol;
	}
	return NULL;
}

char *ftsan_demangle(const char *name)
{
	static demangler demangle;
	static int opened;
	int status = 0;

	if (strncmp(name, "_Z", 2) != 0)
		return NULL;
	/* The command has one thread. */
	if (!opened) {
		demangle = open_demangler();
		opened = 1;
	}
	return demangle != NULL ? demangle(name, NULL, NULL, &status) : NULL;
}
