#include "rules/crash_rules.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

#include "base/base.h"

static const char *const sentences[FTSAN_CAUSES] = {
	[FTSAN_CAUSE_UNKNOWN] = "the cause is not known",
	[FTSAN_CAUSE_USE_AFTER_FREE] = "memory was used after it was freed",
	[FTSAN_CAUSE_DOUBLE_FREE] = "a block was freed twice",
	[FTSAN_CAUSE_HEAP] =
		"the heap was corrupted before: the thread that found it need "
		"not be the one that did it",
	[FTSAN_CAUSE_NULL] = "a NULL pointer was used",
	[FTSAN_CAUSE_WILD] = "a pointer to nothing was used",
	[FTSAN_CAUSE_READ_ONLY] = "memory that may not be used that way was used",
	[FTSAN_CAUSE_STACK_OVERFLOW] = "the thread's stack was used up",
	[FTSAN_CAUSE_STACK_SMASHED] = "a buffer on the stack was written past its end",
	[FTSAN_CAUSE_ASSERTION] = "an assertion failed",
	[FTSAN_CAUSE_ABORT] = "the program gave up by itself",
	[FTSAN_CAUSE_FATAL] = "the interpreter gave up: it found what must not be",
	[FTSAN_CAUSE_DIVISION] =
		"an integer was divided by zero, or the result does not fit",
	[FTSAN_CAUSE_UNREACHABLE] = "a place was reached that the compiler took for "
				    "unreachable, or a check of its own failed",
	[FTSAN_CAUSE_INSTRUCTION] = "the processor does not know the instruction",
	[FTSAN_CAUSE_FILE] = "a mapped file is shorter than its mapping",
	[FTSAN_CAUSE_SENT] = "the signal was sent from outside",
};

static bool has(const char *message, const char *const *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(message, parts[i]) != NULL)
			return true;
	return false;
}

#define HAS(message, parts) has(message, parts, FTSAN_ARRAY_LEN(parts))

/* glibc 2.36, malloc/malloc.c, assert/assert.c and debug/fortify_fail.c. */
enum ftsan_abort_kind ftsan_abort_kind(const char *message)
{
	static const char *const twice[] = {"double free"};
	static const char *const heap[] = {
		"malloc",	  "free(): ",  "realloc()",
		"munmap_chunk()", "corrupted", "unlink_chunk",
	};
	/* Objects/obmalloc.c, 3.11 to 3.15: _PyMem_DebugCheckAddress(). */
	static const char *const pads[] = {"bad leading pad byte",
					   "bad trailing pad byte"};
	static const char *const stack[] = {"stack smashing"};
	static const char *const assertion[] = {"Assertion", "assertion"};

	if (message == NULL || message[0] == '\0')
		return FTSAN_ABORT_UNKNOWN;
	if (strncmp(message, "Fatal Python error: ", 20) == 0)
		return HAS(message, pads) ? FTSAN_ABORT_HEAP : FTSAN_ABORT_FATAL;
	if (HAS(message, twice))
		return FTSAN_ABORT_DOUBLE_FREE;
	if (HAS(message, stack))
		return FTSAN_ABORT_STACK;
	/* malloc.c has assertions, too ("malloc.c:2617: sysmalloc: Assertion ..."). */
	if (HAS(message, assertion) && strstr(message, "malloc.c") == NULL)
		return FTSAN_ABORT_ASSERTION;
	return HAS(message, heap) ? FTSAN_ABORT_HEAP : FTSAN_ABORT_OTHER;
}

struct answer {
	enum ftsan_cause cause;
	enum ftsan_certainty certainty;
};

static struct answer judge_abort(const struct ftsan_crash_facts *facts)
{
	static const struct answer answers[] = {
		[FTSAN_ABORT_UNKNOWN] = {FTSAN_CAUSE_ABORT, FTSAN_IS_UNKNOWN},
		[FTSAN_ABORT_DOUBLE_FREE] = {FTSAN_CAUSE_DOUBLE_FREE, FTSAN_IS_PROBABLE},
		[FTSAN_ABORT_HEAP] = {FTSAN_CAUSE_HEAP, FTSAN_IS_CONFIRMED},
		[FTSAN_ABORT_STACK] = {FTSAN_CAUSE_STACK_SMASHED, FTSAN_IS_CONFIRMED},
		[FTSAN_ABORT_ASSERTION] = {FTSAN_CAUSE_ASSERTION, FTSAN_IS_CONFIRMED},
		[FTSAN_ABORT_FATAL] = {FTSAN_CAUSE_FATAL, FTSAN_IS_CONFIRMED},
		[FTSAN_ABORT_OTHER] = {FTSAN_CAUSE_ABORT, FTSAN_IS_CONFIRMED},
	};

	return answers[facts->abort];
}

static struct answer judge_pointer(const struct ftsan_crash_facts *facts)
{
	switch (facts->pointer) {
	case FTSAN_POINTER_FREED:
		return (struct answer){FTSAN_CAUSE_USE_AFTER_FREE, FTSAN_IS_CONFIRMED};
	case FTSAN_POINTER_POISON:
		return (struct answer){FTSAN_CAUSE_USE_AFTER_FREE, FTSAN_IS_PROBABLE};
	default:
		break;
	}
	/* The bad pointer is the allocator's own, then. */
	if (facts->allocates && facts->pointer != FTSAN_POINTER_NONE)
		return (struct answer){FTSAN_CAUSE_HEAP, FTSAN_IS_CONFIRMED};
	if (facts->frees && facts->pointer != FTSAN_POINTER_NONE)
		return (struct answer){FTSAN_CAUSE_HEAP, FTSAN_IS_PROBABLE};
	switch (facts->pointer) {
	case FTSAN_POINTER_NULL:
		return (struct answer){FTSAN_CAUSE_NULL, FTSAN_IS_CONFIRMED};
	case FTSAN_POINTER_NO_ADDRESS:
	case FTSAN_POINTER_UNMAPPED:
		return (struct answer){FTSAN_CAUSE_WILD, FTSAN_IS_CONFIRMED};
	case FTSAN_POINTER_STATIC:
	case FTSAN_POINTER_STACK:
	case FTSAN_POINTER_BLOCK:
	case FTSAN_POINTER_MAPPED:
		return (struct answer){facts->fetch ? FTSAN_CAUSE_WILD
						    : FTSAN_CAUSE_READ_ONLY,
				       FTSAN_IS_CONFIRMED};
	default:
		break;
	}
	return (struct answer){FTSAN_CAUSE_UNKNOWN, FTSAN_IS_UNKNOWN};
}

static struct answer judge_cause(const struct ftsan_crash_facts *facts)
{
	if (facts->sent && !facts->by_itself)
		return (struct answer){FTSAN_CAUSE_SENT, FTSAN_IS_CONFIRMED};
	if (facts->signal == SIGABRT)
		return judge_abort(facts);
	if (facts->sent)
		return (struct answer){FTSAN_CAUSE_ABORT, FTSAN_IS_CONFIRMED};
	if (facts->signal == SIGFPE)
		return (struct answer){
			facts->divides ? FTSAN_CAUSE_DIVISION : FTSAN_CAUSE_UNKNOWN,
			facts->divides ? FTSAN_IS_CONFIRMED : FTSAN_IS_UNKNOWN};
	if (facts->signal == SIGILL)
		return (struct answer){facts->undefined ? FTSAN_CAUSE_UNREACHABLE
							: FTSAN_CAUSE_INSTRUCTION,
				       FTSAN_IS_CONFIRMED};
	if (facts->overflow)
		return (struct answer){FTSAN_CAUSE_STACK_OVERFLOW, FTSAN_IS_CONFIRMED};
	if (facts->bus_object)
		return (struct answer){FTSAN_CAUSE_FILE, FTSAN_IS_CONFIRMED};
	return judge_pointer(facts);
}

/*
 * Memory that is not what it should be while another thread is at the same thing: that
 * explains it. A stack that is used up, a division or a signal from outside does not need
 * a second thread.
 */
bool ftsan_crash_by_race(enum ftsan_cause cause)
{
	switch (cause) {
	case FTSAN_CAUSE_USE_AFTER_FREE:
	case FTSAN_CAUSE_DOUBLE_FREE:
	case FTSAN_CAUSE_HEAP:
	case FTSAN_CAUSE_NULL:
	case FTSAN_CAUSE_WILD:
	case FTSAN_CAUSE_READ_ONLY:
	case FTSAN_CAUSE_STACK_SMASHED:
	case FTSAN_CAUSE_UNKNOWN:
		return true;
	default:
		return false;
	}
}

struct ftsan_crash_verdict ftsan_crash_judge(const struct ftsan_crash_facts *facts)
{
	struct answer answer = judge_cause(facts);

	return (struct ftsan_crash_verdict){
		.cause = answer.cause,
		.certainty = answer.certainty,
		.race = ftsan_crash_by_race(answer.cause) && !facts->waits &&
			facts->relation >= FTSAN_SAME_FUNCTION,
		.sentence = sentences[answer.cause],
	};
}

static bool holds(const struct ftsan_deed *deed, uintptr_t object)
{
	if (object == 0)
		return false;
	for (unsigned i = 0; i < deed->n_others; i++)
		if (deed->others[i] == object)
			return true;
	return deed->object == object;
}

enum ftsan_relation ftsan_relate(const struct ftsan_deed *a, const struct ftsan_deed *b)
{
	if (a->object != 0 && a->object == b->object)
		return FTSAN_SAME_OBJECT;
	if (holds(b, a->object) || holds(a, b->object))
		return FTSAN_SHARED_ARGUMENT;
	for (unsigned i = 0; i < a->n_others; i++)
		if (holds(b, a->others[i]))
			return FTSAN_SHARED_ARGUMENT;
	if (a->module == 0 || a->module != b->module)
		return FTSAN_UNRELATED;
	if (a->function == 0 || a->function != b->function)
		return FTSAN_SAME_MODULE;
	return a->object == 0 && b->object == 0 ? FTSAN_SAME_FUNCTION : FTSAN_SAME_METHOD;
}
