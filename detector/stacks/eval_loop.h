/*
 * The extent of CPython's evaluation loop in a build without .symtab.
 *
 * GCC puts what it holds for rarely executed out of line, into a .cold part that no
 * dynamic symbol names; in Debian's CPython 3.14.10 that is nearly the whole loop (84 KB,
 * against 1 KB under the name). Both parts have an entry in the table of
 * .eh_frame_hdr, and only the named part jumps into the middle of the other.
 */
#ifndef FTSAN_EVAL_LOOP_H
#define FTSAN_EVAL_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct ftsan_eval_loop - two ranges of addresses, empty when not found
 */
struct ftsan_eval_loop {
	uintptr_t begin, end;
	uintptr_t cold_begin, cold_end;
};

/**
 * ftsan_eval_loop_find() - the extent of the loop
 * @function: address of _PyEval_EvalFrameDefault
 * @image:    where the ELF header of its module is mapped
 * @bias:     of that module
 *
 * Context: any thread; reads with ftsan_safe_read() only, once through the function.
 * Return:  false when the module has no usable .eh_frame_hdr.
 */
bool ftsan_eval_loop_find(struct ftsan_eval_loop *loop, uintptr_t function,
			  uintptr_t image, uintptr_t bias);

#endif
