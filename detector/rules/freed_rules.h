/*
 * Which freed blocks are held back, what of them may be overwritten, and what a block
 * that is freed again is.
 */
#ifndef FTSAN_FREED_RULES_H
#define FTSAN_FREED_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum ftsan_freed_mode {
	FTSAN_FREED_OFF,
	FTSAN_FREED_AUTO, /* as OWN, of types and places that free many a sample */
	FTSAN_FREED_OWN,  /* extension modules' types, and buffers that they free */
	FTSAN_FREED_ALL,
};

/* Pure. @text: the option's value. False: it is none, and @mode is left alone. */
bool ftsan_freed_mode(const char *text, enum ftsan_freed_mode *mode);

enum { FTSAN_FREED_BLOCK_MAX = 16384 };

/**
 * struct ftsan_freed_facts - a block that is about to be freed
 * @mode:     what is wanted
 * @bytes:    of the block, 0: not known
 * @held:     it is held back already
 * @detached: the thread is not attached to the interpreter: it may free this block, but
 *           not what others brought (mimalloc asks the thread's state when a page of
 *           objects becomes empty: _PyMem_mi_page_maybe_free(), Objects/obmalloc.c)
 * @own_call: an extension module's own call frees it as a buffer
 * @own_type: it holds an object whose type is an extension module's
 * @before:   frees of the type, or of the call, that were held before
 * @turn:     it is its turn, among those of its type or call that are sampled
 */
struct ftsan_freed_facts {
	enum ftsan_freed_mode mode;
	uint32_t bytes;
	bool held;
	bool detached;
	bool own_call;
	bool own_type;
	uint32_t before;
	bool turn;
};

enum ftsan_freed_answer {
	FTSAN_FREED_PASS,  /* it is freed as ever */
	FTSAN_FREED_KEEP,  /* it is held back */
	FTSAN_FREED_TWICE, /* it was freed before: nothing may be done to it */
};

/* With mode AUTO: is it past the bound from which on a type, or a call, is sampled? */
enum { FTSAN_FREED_FEW = 500 };

/*
 * ... and then, one in so many: 8, 32, 128, 512, 2048. The interval is chosen by how long
 * a stretch of held ones takes: to hold one costs what hundreds of instructions do, so
 * it is what is freed a million times in a second that must be held rarely, and what is
 * freed a few times can be held nearly every time.
 */
enum {
	FTSAN_FREED_INTERVALS = 5,
	FTSAN_FREED_FIRST_INTERVAL = 0,
	FTSAN_FREED_STRETCH = 256,
};

/* Is it the turn of the thread's @turn-th? Pure. */
static inline bool ftsan_freed_turn(uint32_t turn, unsigned interval)
{
	return (turn & ((8u << 2 * interval) - 1)) == 0;
}

/*
 * @ns:   what the last FTSAN_FREED_STRETCH took
 * @keys: types and calls that are sampled; the more there are, the rarer each one's
 *        turns, because all of them take the program's time
 *
 * Pure.
 */
unsigned ftsan_freed_next_interval(unsigned interval, uint64_t ns, unsigned keys);

/*
 * Blocks that a thread's are held of at most. Pages of which one block is held are in use
 * all the longer, and blocks come back cold, so a mode that is to cost little has few; of
 * one that holds all of them so many that they are in the processor's second cache still.
 * Pure.
 */
uint32_t ftsan_freed_most(enum ftsan_freed_mode mode);

/* Pure. */
enum ftsan_freed_answer ftsan_freed_judge(const struct ftsan_freed_facts *facts);

/* What of a block may be overwritten: bytes [begin, end), multiples of 8. */
struct ftsan_freed_span {
	uint32_t begin, end;
};

enum { FTSAN_FREED_SPANS = 2 };

/**
 * ftsan_freed_spans() - where a held block may be filled
 * @bytes:  of the block
 * @object: bytes before the object in it, -1: it holds none
 * @type:   offset of an object's type in the object
 * @spans:  gets up to FTSAN_FREED_SPANS
 *
 * Of an object the words between its owner and its type stay: the collector looks at the
 * flags of all blocks, and CPython's lists and dictionaries read reference counts of
 * objects that may be freed already, without a lock (_Py_TryIncrefCompare(),
 * Include/internal/pycore_object.h, 3.13 to 3.15). The owner's word is overwritten by
 * the allocator anyway.
 *
 * Pure. Return: how many.
 */
unsigned ftsan_freed_spans(uint32_t bytes, int object, uint32_t type,
			   struct ftsan_freed_span *spans);

#endif
