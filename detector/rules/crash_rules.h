/*
 * What killed a process, and how sure that is: decided from recorded facts alone.
 */
#ifndef FTSAN_CRASH_RULES_H
#define FTSAN_CRASH_RULES_H

#include <stdbool.h>
#include <stdint.h>

/* What a pointer is, as far as it can be told at the moment of the fault. */
enum ftsan_pointer_kind {
	FTSAN_POINTER_NONE,   /* there is none, or it is not known which */
	FTSAN_POINTER_NULL,   /* NULL, or NULL and a field's offset */
	FTSAN_POINTER_POISON, /* a pattern that freed or fresh memory is filled with */
	FTSAN_POINTER_FREED,  /* points into a block that was freed */
	FTSAN_POINTER_NO_ADDRESS, /* no address that the processor accepts */
	FTSAN_POINTER_UNMAPPED,	  /* nothing is there */
	FTSAN_POINTER_STATIC,	  /* data or text of a module */
	FTSAN_POINTER_STACK,	  /* a thread's stack */
	FTSAN_POINTER_BLOCK,	  /* a block of the interpreter's allocator */
	FTSAN_POINTER_MAPPED,	  /* other memory that is there */
};

/* What glibc or the interpreter said before it gave up. */
enum ftsan_abort_kind {
	FTSAN_ABORT_UNKNOWN,
	FTSAN_ABORT_DOUBLE_FREE, /* free() met a block that was free */
	FTSAN_ABORT_HEAP,	 /* the allocator found its own data overwritten */
	FTSAN_ABORT_STACK,	 /* stack smashing detected */
	FTSAN_ABORT_ASSERTION,
	FTSAN_ABORT_FATAL, /* "Fatal Python error: ..." */
	FTSAN_ABORT_OTHER, /* some other message */
};

/* Pure. @message: may be NULL or empty. */
enum ftsan_abort_kind ftsan_abort_kind(const char *message);

/* What two threads' operations have in common. */
enum ftsan_relation {
	FTSAN_UNRELATED,
	FTSAN_SAME_MODULE,     /* different functions of one extension module */
	FTSAN_SAME_METHOD,     /* the same function, of another object each */
	FTSAN_SAME_FUNCTION,   /* the same function, which is of no object */
	FTSAN_SHARED_ARGUMENT, /* an object that one was given is the other's, too */
	FTSAN_SAME_OBJECT,
};

/**
 * struct ftsan_crash_facts - everything that the decision rests on
 * @signal:       number
 * @sent:         it was sent, not raised by an instruction
 * @by_itself:    ... by the thread itself (abort, raise)
 * @fetch:        the address that faulted was to be executed
 * @overflow:     the stack pointer is at or below the end of the thread's stack
 * @divides:      the instruction is an integer division
 * @undefined:    it is one that compilers emit for what must not be reached
 * @bus_object:   SIGBUS of a mapped file that is shorter than its mapping
 * @allocates:    it failed in a function that hands out memory: who called it gave it no
 *                pointer
 * @frees:        it failed deep in one that takes memory back: what it was given was
 *                looked at before, and is likely to be a block
 * @pointer:      what the bad pointer is
 * @abort:        SIGABRT: what was said
 * @relation:     to the operation of the thread that is nearest to it
 * @waits:        that thread waits for a lock there: it is not its turn
 */
struct ftsan_crash_facts {
	int signal;
	bool sent;
	bool by_itself;
	bool fetch;
	bool overflow;
	bool divides;
	bool undefined;
	bool bus_object;
	bool allocates;
	bool frees;
	enum ftsan_pointer_kind pointer;
	enum ftsan_abort_kind abort;
	enum ftsan_relation relation;
	bool waits;
};

enum ftsan_cause {
	FTSAN_CAUSE_UNKNOWN,
	FTSAN_CAUSE_USE_AFTER_FREE,
	FTSAN_CAUSE_DOUBLE_FREE,
	FTSAN_CAUSE_HEAP,
	FTSAN_CAUSE_NULL,
	FTSAN_CAUSE_WILD,
	FTSAN_CAUSE_READ_ONLY,
	FTSAN_CAUSE_STACK_OVERFLOW,
	FTSAN_CAUSE_STACK_SMASHED,
	FTSAN_CAUSE_ASSERTION,
	FTSAN_CAUSE_ABORT,
	FTSAN_CAUSE_FATAL,
	FTSAN_CAUSE_DIVISION,
	FTSAN_CAUSE_UNREACHABLE,
	FTSAN_CAUSE_INSTRUCTION,
	FTSAN_CAUSE_FILE,
	FTSAN_CAUSE_SENT,
	FTSAN_CAUSES,
};

enum ftsan_certainty { FTSAN_IS_UNKNOWN, FTSAN_IS_PROBABLE, FTSAN_IS_CONFIRMED };

/**
 * struct ftsan_crash_verdict - the answer
 * @cause:     what went wrong in this thread
 * @certainty: of the cause
 * @race:      two threads at the same thing are the likely reason
 * @sentence:  the cause in words, for a report; a constant
 */
struct ftsan_crash_verdict {
	enum ftsan_cause cause;
	enum ftsan_certainty certainty;
	bool race;
	const char *sentence;
};

/* Pure. */
struct ftsan_crash_verdict ftsan_crash_judge(const struct ftsan_crash_facts *facts);

/* Could a second thread at the same thing be the reason? Pure. */
bool ftsan_crash_by_race(enum ftsan_cause cause);

/* Is it a cause that the thread need not have to do with: it has met what others did?
 * Pure. */
static inline bool ftsan_crash_met(enum ftsan_cause cause)
{
	return cause == FTSAN_CAUSE_HEAP || cause == FTSAN_CAUSE_DOUBLE_FREE;
}

/**
 * struct ftsan_deed - an operation, for comparison
 * @function: address, 0 when unknown
 * @module:   a number for its module, 0 when it is unknown or the interpreter itself
 * @object:   0: none
 * @others:   @n_others more objects
 */
struct ftsan_deed {
	uintptr_t function;
	uintptr_t module;
	uintptr_t object;
	const uintptr_t *others;
	unsigned n_others;
};

/* Pure and symmetric. */
enum ftsan_relation ftsan_relate(const struct ftsan_deed *a, const struct ftsan_deed *b);

#endif
