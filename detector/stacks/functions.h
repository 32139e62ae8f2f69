/*
 * Where functions begin, in modules that name them or not: the sorted table of
 * .eh_frame_hdr, which every module with unwind information has in memory.
 */
#ifndef FTSAN_FUNCTIONS_H
#define FTSAN_FUNCTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* struct ftsan_function_table - of one module; offsets count from the header */
struct ftsan_function_table {
	uintptr_t header;
	uint32_t count;
};

/**
 * ftsan_function_table_find() - the table of a module
 * @image: where the ELF header of the module is mapped
 * @bias:  of that module
 *
 * Context: any thread; reads with ftsan_safe_read() only.
 * Return:  false when the module has no usable .eh_frame_hdr.
 */
bool ftsan_function_table_find(struct ftsan_function_table *table, uintptr_t image,
			       uintptr_t bias);

/**
 * ftsan_function_range() - the function, or part of one, that holds @pc
 * @end: where the next one begins
 *
 * Context: as above. Return: false when there is none.
 */
bool ftsan_function_range(const struct ftsan_function_table *table, uintptr_t pc,
			  uintptr_t *begin, uintptr_t *end);

/* Where the function that holds @pc begins, in whatever module; 0: unknown. Context: as
 * above. */
uintptr_t ftsan_function_start(uintptr_t pc);

#endif
