/*
 * Operations: what the program is doing to which arrays. The adapters' hooks enter one
 * for every call of a method, a slot or an API function; the engines ask which one a
 * trapped store belongs to.
 *
 * The frames of a thread are in its record, linked from the innermost outwards, and only
 * the thread itself (its signal handlers included) follows the links. They are not on the
 * stack of the hooks: a library that switches stacks (greenlet copies parts of one away
 * and puts others in their place) or an exception that passes a hook would leave links
 * into memory that is somebody else's by then.
 */
#ifndef FTSAN_OPERATION_H
#define FTSAN_OPERATION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/annot.h"
#include "base/options.h"
#include "words/watch.h"

struct ftsan_thread;

enum {
	FTSAN_OPERATION_ARRAYS = 6,
	FTSAN_OPERATION_DEPTH = 64, /* operations in operations; deeper ones are none */
};

/**
 * struct ftsan_operation - one hooked operation; constant once it is hooked
 * @owner:   of what: "ndarray", "ufunc", a module's name, or "" (a C function)
 * @name:    "repeat", "shape=", "PyArray_Repeat"
 * @mutator: it is documented to change the metadata of its first argument
 */
struct ftsan_operation {
	const char *owner;
	const char *name;
	bool mutator;
};

/**
 * struct ftsan_operation_array - an array that the operation was given
 * @header:  its address; the caller holds a reference for as long as the frame is there
 * @buffer:  guarded buffer that the header pointed at on entry, 0: none
 * @output:  given to be written to
 * @held:    the buffer is sealed for the length of the operation
 * @shared:  more than one thread has used it (race mode)
 * @generation: of the held buffer's slot
 */
struct ftsan_operation_array {
	uintptr_t header;
	uintptr_t buffer;
	bool output;
	bool held;
	bool shared;
	uint64_t generation;
};

/**
 * struct ftsan_operation_frame - one call of an operation
 * @operation: which
 * @name:      instead of the operation's own, when the object has one (a ufunc); NULL
 * @outer:     the frame around it in this thread, NULL: none
 * @arrays:    @n_arrays of them; those past the room are not watched
 * @sampled:   it is watched (latent mode)
 * @changed:   an operation inside was documented to change one of the arrays
 * @watched:   headers are watched: @points, or by @recheck
 * @deeper:    there are operations inside that found no room
 * @serial:    which call it is; 0: it has ended
 * @stack:     where the stack of its hook is
 * @n_inside:  of the thread, before this operation
 */
struct ftsan_operation_frame {
	const struct ftsan_operation *operation;
	const char *name;
	struct ftsan_operation_frame *outer;
	unsigned n_arrays;
	unsigned recheck;
	uint32_t n_inside;
	uint8_t n_points;
	bool sampled;
	bool changed;
	bool watched;
	bool deeper;
	uint32_t serial;
	uintptr_t stack;
	uintptr_t pc;
	struct ftsan_operation_array arrays[FTSAN_OPERATION_ARRAYS];
	struct ftsan_watchpoint points[FTSAN_WATCH_WORDS];
};

/**
 * struct ftsan_operation_call - a hook's part: which frame is its own
 * @frame:  NULL: it has none
 * @serial: what it was given; the frame may be another's by now
 */
struct ftsan_operation_call {
	struct ftsan_operation_frame *frame;
	uint32_t serial;
};

/* Context: start-up. @free_threaded: of the interpreter. */
void ftsan_operation_init(const struct ftsan_options *options, bool free_threaded);

/* Are hazards looked for (mode=latent, mode=all)? */
bool ftsan_latent(void);

/* Threads that have entered operations, the first thread included; up to how many of them
 * are left in peace: 1, or 0 where one is enough (latent mode). And is the calling one
 * counted? */
extern FTSAN_HIDDEN _Atomic uint32_t ftsan_operators;
extern FTSAN_HIDDEN uint32_t ftsan_operators_idle;
extern FTSAN_TLS bool ftsan_operates;

/* Counts the calling thread. */
void ftsan_operation_thread_first(void);

/* The same for all threads, counting none. Context: any. */
static inline bool ftsan_operations_matter(void)
{
	return atomic_load_explicit(&ftsan_operators, memory_order_relaxed) >
	       ftsan_operators_idle;
}

/**
 * ftsan_operation_matters() - need a hook look at what it was called for?
 *
 * A program with one thread that works on arrays, and others that don't (a pool for
 * linear algebra, a progress bar), can't race: its hooks call the original and no more.
 * From the first operation of a second thread on, that one included, all are looked at.
 *
 * Context: normal context of any thread.
 */
static inline bool ftsan_operation_matters(void)
{
	if (FTSAN_UNLIKELY(!ftsan_operates))
		ftsan_operation_thread_first();
	return ftsan_operations_matter();
}

/**
 * ftsan_operation_begin() - a hooked operation is entered
 * @call: on the caller's stack; filled
 * @pc:   where it was called from, for sampling by call site
 *
 * Frames that the stack does not have any more (a longjmp, an exception, another stack)
 * are dropped.
 *
 * Context: normal context of an attached thread. Everything here: the same.
 * Return:  its frame, NULL: there is no room, and nothing is to be added.
 */
struct ftsan_operation_frame *
ftsan_operation_begin(struct ftsan_operation_call *call,
		      const struct ftsan_operation *operation, uintptr_t pc);

/* One of the operation's arrays; @buffer as ftsan_numpy_buffer() has it. */
void ftsan_operation_add(struct ftsan_operation_frame *frame, uintptr_t header,
			 const void *buffer, bool output);

/* Every array has been added: what can't be sealed is watched now, perhaps. */
void ftsan_operation_watch(struct ftsan_operation_frame *frame);

/* Undoes ftsan_operation_begin() and what ftsan_operation_add() did to the arrays, unless
 * the frame was dropped. */
void ftsan_operation_end(const struct ftsan_operation_call *call);

/* The thread ends, perhaps inside operations: nothing stays sealed or watched for them.
 */
void ftsan_operation_thread_end(struct ftsan_thread *thread);
/* In a process that was attached to: threads that an earlier attach has counted don't
 * count themselves again. */
void ftsan_operation_all_matter(void);
/* At start, and in the child of a fork: the calling thread is counted, whether it enters
 * operations or not, so that the first operation of another one finds a second. */
void ftsan_operation_alone(void);

/* The operation has changed what it was only given to read: counted, and it is watched
 * as an unknown one from now on. Async-signal-safe. */
void ftsan_operation_harm(const struct ftsan_operation *operation);

/* An array has come into being at @header in this thread. */
void ftsan_operation_born(uintptr_t header);
/* Something may have come into being unnoticed: until the outermost operation of this
 * thread ends, only its own arguments are taken for older than it. */
void ftsan_operation_born_unnoticed(void);

/* The first of the frame's arrays that has its header there; NULL: none, or no frame. */
const struct ftsan_operation_array *
ftsan_operation_array_at(const struct ftsan_operation_frame *frame, uintptr_t header);

/* Was it made since the outermost operation of the thread was entered, or is that not
 * known? For the thread itself, handlers included. */
bool ftsan_operation_is_fresh(const struct ftsan_thread *thread, uintptr_t header);

#endif
