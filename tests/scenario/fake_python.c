/* The exports by which libftsan tells CPython 3.13t, and the allocator under them. */
#include <stdlib.h>

#include "fake_numpy.h"

#define EXPORT __attribute__((visibility("default")))

void *PyThreadState_GetUnchecked(void);
void *PyGILState_GetThisThreadState(void);
extern char PyCode_Type[512], PyUnicode_Type[512];
extern const unsigned long Py_Version;
extern const uint64_t _PyRuntime[128];

/*
 * struct _Py_DebugOffsets of a real 3.13.5 free-threaded build, as 64-bit words
 * (Include/internal/pycore_runtime.h).
 */
EXPORT const uint64_t _PyRuntime[128] = {
	[0] = 0x7970677562656478, /* "xdebugpy" */
	[1] = 0x030d05f0,
	[2] = 1,
	/* The runtime and its one interpreter, which has not started. */
	[3] = 1024,
	[5] = 952,
	[6] = 64,
	[8] = 8,
	[15] = 16,
	[16] = 8,
	[19] = 824,
	[23] = 72,
	[24] = 152,
	[28] = 80,
	[29] = 8,
	[30] = 0,
	[31] = 56,
	[32] = 72,
	[33] = 70,
	[34] = 217,
	[35] = 128,
	[36] = 136,
	[37] = 144,
	[38] = 152,
	[39] = 84,
	[43] = 216,
	[44] = 32,
	[45] = 24,
	[46] = 416,
	[47] = 40,
	[64] = 49,
	[65] = 32,
	[66] = 48,
	[67] = 80,
	[68] = 48,
	[69] = 32,
	[70] = 56,
};

EXPORT const unsigned long Py_Version = 0x030d05f0;
EXPORT char PyType_Type[512], PyCode_Type[512], PyUnicode_Type[512];

/* No thread of these programs runs Python code. */
EXPORT void *PyThreadState_GetUnchecked(void)
{
	return NULL;
}

EXPORT void *PyGILState_GetThisThreadState(void)
{
	return NULL;
}

EXPORT void *PyMem_RawMalloc(size_t size)
{
	return malloc(size);
}

EXPORT void *PyMem_RawRealloc(void *block, size_t size)
{
	return realloc(block, size);
}

EXPORT void PyMem_RawFree(void *block)
{
	free(block);
}

EXPORT void *PyCapsule_New(void *pointer, const char *name, void (*destructor)(void *))
{
	(void)name;
	(void)destructor;
	return pointer;
}
