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

#include "base/base.h"
#include "threads/threads.h"
#include "words/words.h"

struct ftsan_incident;

enum {
	FTSAN_OPERATION_ARRAYS = 6,
	FTSAN_OPERATION_DEPTH = 64, /* operations in operations; deeper ones are none */
};

/**
 * struct ftsan_operation - one hooked operation; constant once it is hooked
 * @owner:   of what: "ndarray", "ufunc", a module's name, or "" (a C function)
 * @name:    "repeat", "shape=", "PyArray_Repeat"
 * @hands_out: it hands out the array's buffer, and notes that in the array
 * @mutator: it is documented to change the metadata of its first argument
 */
struct ftsan_operation {
	const char *owner;
	const char *name;
	bool mutator;
	bool hands_out;
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
 * @just_shared: one of the arrays was seen to be shared a few operations ago at most
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
	bool just_shared;
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

enum { FTSAN_BIRTHS = 256 };

/**
 * struct ftsan_births - arrays made since the outermost operation was entered
 * @incomplete: there may be more
 */
struct ftsan_births {
	uint32_t n;
	bool incomplete;
	uintptr_t headers[FTSAN_BIRTHS];
};

enum { FTSAN_INSIDE = 8 };

/* Shared arrays that the thread is inside operations on; other threads look, too. */
struct ftsan_inside {
	_Atomic uint32_t n; /* may be more than there is room for */
	_Atomic uintptr_t headers[FTSAN_INSIDE];
};

/**
 * struct ftsan_operations_thread - the engine's part of a thread's record
 * @innermost: frame of the operation that the thread is in, NULL: none
 * @calls:     of operations; for their serials
 * @turn:      of watching headers
 */
struct ftsan_operations_thread {
	struct ftsan_operation_frame *innermost;
	uint32_t calls;
	uint32_t turn;
	struct ftsan_operation_frame frames[FTSAN_OPERATION_DEPTH];
	struct ftsan_births births;
	struct ftsan_inside inside;
};
_Static_assert(sizeof(struct ftsan_operations_thread) <=
		       sizeof(((struct ftsan_thread *)0)->part_operations),
	       "the part is too small");

static inline struct ftsan_operations_thread *
ftsan_operations_of(const struct ftsan_thread *thread)
{
	return FTSAN_THREAD_PART(thread, operations);
}

/**
 * struct ftsan_operation_host - what is done for the headers of an operation's arrays
 * @watch:   the operation's arrays are all known, and it is one of those to be watched
 * @unwatch: it ends; its frame is the innermost one still
 * @drop:    it was left without an end, and its arrays may be gone; the same
 *
 * Context: normal context of the operation's thread.
 */
struct ftsan_operation_host {
	void (*watch)(struct ftsan_thread *thread, struct ftsan_operation_frame *frame);
	void (*unwatch)(struct ftsan_thread *thread, struct ftsan_operation_frame *frame);
	void (*drop)(struct ftsan_thread *thread,
		     const struct ftsan_operation_frame *frame);
};

/* Context: start-up. @host: borrowed, must stay. Never set: no header is watched. */
void ftsan_operation_set_host(const struct ftsan_operation_host *host);

/* Context: start-up. @free_threaded: of the interpreter. */
void ftsan_operation_init(const struct ftsan_options *options, bool free_threaded);

/* Are hazards looked for (mode=latent, mode=all)? */
bool ftsan_latent(void);

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
/* fork child, before the records forget who is gone: only the calling thread is in
 * operations. */
void ftsan_operation_fork_child(void);

/* Which operation of the calling thread was given the object of a buffer? Its identity;
 * NULL: none. */
const void *ftsan_operation_with(const struct ftsan_thread *thread, uintptr_t buffer);

/* The operation has changed what it was only given to read: counted, and it is watched
 * as an unknown one from now on. Async-signal-safe. */
void ftsan_operation_harm(const struct ftsan_operation *operation);

/* The first of the frame's arrays that has its header there; NULL: none, or no frame. */
const struct ftsan_operation_array *
ftsan_operation_array_at(const struct ftsan_operation_frame *frame, uintptr_t header);

/* What a finding says of the operation; @array: NULL, or the array that it is about. */
void ftsan_operation_tell(const struct ftsan_operation_frame *frame,
			  const struct ftsan_operation_array *array,
			  struct ftsan_incident *incident);

#endif
