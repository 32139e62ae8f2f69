/*
 * The arrays among the arguments of a hooked function, by its calling convention.
 */
#ifndef FTSAN_PRELOAD_NUMPY_ARGS_H
#define FTSAN_PRELOAD_NUMPY_ARGS_H

#include <stdbool.h>
#include <stdint.h>

struct ftsan_operation_frame;

/* How a function of a method table, a slot or an API takes its arguments. */
enum ftsan_convention {
	FTSAN_ARGS_SELF,	  /* nothing but self */
	FTSAN_ARGS_OBJECTS,	  /* objects one by one; NULL or no object past the last */
	FTSAN_ARGS_TUPLE,	  /* self, a tuple */
	FTSAN_ARGS_TUPLE_DICT,	  /* self, a tuple, a dict or NULL */
	FTSAN_ARGS_FAST,	  /* self, objects, their number */
	FTSAN_ARGS_FAST_KEYWORDS, /* self, objects, number without keywords, names */
	FTSAN_ARGS_VECTORCALL,	  /* callable, objects, number and flags, names */
};

enum { FTSAN_ARGS_REGISTERS = 5 };

/**
 * ftsan_args_add() - give an operation the arrays that its function was given
 * @convention: enum ftsan_convention
 * @objects:    FTSAN_ARGS_OBJECTS: bit n set: argument n is an object or NULL
 * @registers:  the function's first arguments
 *
 * No register is looked at that the convention does not name: it may hold anything.
 * Looks into the tuple of arguments and into tuples in it, not into lists, which another
 * thread may change. Context: normal context of an attached thread.
 */
void ftsan_args_add(struct ftsan_operation_frame *frame, uint8_t convention,
		    uint8_t objects, void *const registers[FTSAN_ARGS_REGISTERS]);

/* One object that may be an array, an output perhaps; NULL is none. */
void ftsan_args_add_object(struct ftsan_operation_frame *frame, void *object,
			   bool output);

/* Start-up of NumPy: the array type, and what is needed of CPython. */
void ftsan_args_init(const void *array_type);

#endif
