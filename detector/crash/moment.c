#include "crash/moment.h"

#include <string.h>

#include "base/base.h"

/* Functions of their own kind that these call; what is inlined is none. */
enum { FRAMES = 6 };

/* A part stands for itself and its clones ("int_malloc.isra.0"), with a '*' for all that
 * begin so: "malloc" is a function of libc's, "malloc_node" may be anybody's. */
static bool is_called(const char *name, const char *part)
{
	size_t length = strcspn(part, "*");

	return strncmp(name, part, length) == 0 &&
	       (part[length] == '*' || name[length] == '.' || name[length] == '\0');
}

static bool is_called_one(const char *name, const char *const *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_called(name, parts[i]))
			return true;
	return false;
}

/* One function has several names, with and without underscores in front. @from: 0, or
 * how many frames further out at least. */
static bool runs_from(const struct ftsan_stack *stack, unsigned from,
		      const char *const *parts, size_t n)
{
	char name[FTSAN_SYMBOL_MAX];

	for (unsigned i = from; i < stack->n_native && i < FRAMES; i++)
		if (ftsan_symbol_name(stack->pc[i] - (i > 0), name) == 0 &&
		    is_called_one(name + strspn(name, "_"), parts, n))
			return true;
	return false;
}

static bool runs(const struct ftsan_stack *stack, const char *const *parts, size_t n)
{
	return runs_from(stack, 0, parts, n);
}

bool ftsan_moment_allocates(const struct ftsan_stack *stack)
{
	/* glibc, malloc/malloc.c; Objects/mimalloc/alloc.c and page.c; Objects/obmalloc.c
	 * (3.11 to 3.15). A block that is handed in may be the caller's mistake. */
	static const char *const parts[] = {
		"malloc",
		"calloc",
		"int_malloc",
		"libc_malloc",
		"libc_calloc",
		"mi_malloc",
		"mi_mallocn",
		"mi_malloc_aligned*",
		"mi_malloc_generic",
		"mi_malloc_small",
		"mi_calloc*",
		"mi_zalloc*",
		"mi_heap_malloc*",
		"mi_heap_calloc*",
		"mi_page_malloc*",
		"mi_find_page*",
		"mi_page_fresh*",
		"mi_page_queue*",
		"PyMem_MiMalloc",
		"PyMem_MiCalloc",
		"PyObject_MiMalloc",
		"PyObject_MiCalloc",
		"PyObject_Malloc",
		"PyMem_Malloc",
	};

	return runs(stack, parts, FTSAN_ARRAY_LEN(parts));
}

/* What it is given a function that frees looks at by itself, before it calls another one:
 * __libc_free() reads the block's size. */
bool ftsan_moment_frees(const struct ftsan_stack *stack)
{
	static const char *const parts[] = {"libc_free", "cfree", "libc_realloc"};

	return runs_from(stack, 1, parts, FTSAN_ARRAY_LEN(parts));
}

bool ftsan_moment_waits(const struct ftsan_stack *stack)
{
	/* Python/lock.c and critical_section.c (3.13 to 3.15), glibc, libstdc++. A thread
	 * that is stopped for the collector (_PyParkingLot_Park()) waits for no lock. */
	static const char *const parts[] = {
		"PyMutex_Lock*",    "PyCriticalSection*",     "PyRecursiveMutex_Lock*",
		"PyRWMutex_*",	    "PyThread_acquire_lock*", "pthread_mutex_*",
		"pthread_rwlock_*", "pthread_spin_lock",      "cxa_guard_acquire",
	};

	return runs(stack, parts, FTSAN_ARRAY_LEN(parts));
}

bool ftsan_moment_mutex(const struct ftsan_stack *stack)
{
	static const char *const parts[] = {"pthread_mutex_*", "mtx_lock",
					    "mtx_timedlock"};

	return runs(stack, parts, FTSAN_ARRAY_LEN(parts));
}

bool ftsan_moment_parked(const struct ftsan_stack *stack)
{
	static const char *const parts[] = {"PyParkingLot_Park"};

	return runs(stack, parts, FTSAN_ARRAY_LEN(parts));
}
