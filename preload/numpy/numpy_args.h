/*
 * The arrays among the arguments of a hooked function, by its calling convention.
 */
#ifndef FTSAN_PRELOAD_NUMPY_ARGS_H
#define FTSAN_PRELOAD_NUMPY_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ftsan_operation_frame;

/* How a function of a method table, a slot or an API takes its arguments. */
enum ftsan_convention {
	FTSAN_ARGS_SELF,       /* nothing but self */
	FTSAN_ARGS_OBJECTS,    /* objects one by one; NULL or no object past the last */
	FTSAN_ARGS_TUPLE,      /* self, a tuple */
	FTSAN_ARGS_TUPLE_DICT, /* self, a tuple, a dict or NULL */
	FTSAN_ARGS_FAST,       /* self, objects, their number */
	FTSAN_ARGS_FAST_KEYWORDS, /* self, objects, number without keywords, names */
	FTSAN_ARGS_COUNTED, /* a number, a vector of so many objects right behind it */
};

/**
 * struct ftsan_args - where a function's arrays are among its arguments
 * @convention: enum ftsan_convention
 * @objects:    FTSAN_ARGS_OBJECTS: bit n set: argument n is an object or NULL.
 *              FTSAN_ARGS_COUNTED: the lowest bit is the number's, others as above
 * @outputs:    bit n set: argument n is written to; where a vector follows self, bit 1
 *              is the first in it. Bit 1 of a tuple: whatever array is in it
 * @requirements: number of the argument by which NPY_ARRAY_WRITEBACKIFCOPY can be asked
 *              for, so that the first argument is written to; 0: none
 */
struct ftsan_args {
	uint8_t convention;
	uint8_t requirements;
	uint16_t objects;
	uint16_t outputs;
};

/**
 * ftsan_args_add() - give an operation the arrays that its function was given
 * @words: the function's arguments, as many as @args speaks of
 *
 * No word is looked at that the convention does not name: it may hold anything.
 * Looks into the tuple of arguments and into tuples in it, not into lists, which another
 * thread may change. Context: normal context of an attached thread.
 */
void ftsan_args_add(struct ftsan_operation_frame *frame, const struct ftsan_args *args,
		    void *const *words);

/**
 * ftsan_args_may_add() - is there anything that ftsan_args_add() might find?
 *
 * For functions that are most often given no array, such as numpy.empty(): false spares
 * them the operation. Ends at the first argument that may be or hold an array.
 *
 * Context: as ftsan_args_add().
 */
bool ftsan_args_may_add(const struct ftsan_args *args, void *const *words);

/* A vector of objects: @n positional ones, those whose bit in @outputs is set are written
 * to, and the values of the keywords that the tuple @names (or NULL) has. */
void ftsan_args_add_vector(struct ftsan_operation_frame *frame, void *const *objects,
			   size_t n, uint64_t outputs, void *names);

/* Start-up of NumPy: ndarray, flatiter (or NULL), and what is needed of CPython. */
void ftsan_args_init(const void *array_type, const void *iterator_type);

#endif
