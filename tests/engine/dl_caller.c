/* A library that opens others; linked with DT_RUNPATH, with DT_RPATH or with neither. */
#include <dlfcn.h>
#include <stddef.h>

__attribute__((visibility("default"))) void *open_for_me(const char *file, int mode);

void *open_for_me(const char *file, int mode)
{
	void *handle = dlopen(file, mode);

	/* No tail call: the loader would take the caller's caller for the caller. */
	__asm__ volatile("" : : "r"(handle) : "memory");
	return handle;
}
