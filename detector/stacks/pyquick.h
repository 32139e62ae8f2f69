/*
 * Quick looks at the calling thread's Python frames, for whoever needs less than a stack.
 */
#ifndef FTSAN_PYQUICK_H
#define FTSAN_PYQUICK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ftsan_pyabi;

/*
 * Context of all: any thread, async-signal-safe; the calling thread's own thread state;
 * reads that can't fault only.
 *
 * ftsan_pyquick_state() - the thread's state, attached or not; 0: it has none
 *          @get: the interpreter's way to the current state, which up to 3.11 is that of
 *          whoever holds the GIL; @kept: its way to the thread's, be it attached or not;
 *          NULL: there is none. @attached: out
 * ftsan_pyquick_detached() - has the calling thread a state and is not attached, so
 *          that no GIL orders it? false as well: the interpreter is not known
 * ftsan_pyquick_attached() - has it one, and is attached? Where there is a GIL, it has it
 * ftsan_pyquick_importing() - is an import under way on the thread, however far up?
 * ftsan_pyquick_codes() - code objects of the innermost frames; the count
 * ftsan_pyquick_file() - co_filename of one, that may be gone; false: it is
 */
uintptr_t ftsan_pyquick_state(const struct ftsan_pyabi *abi, void *(*get)(void),
			      void *(*kept)(void), bool *attached);
bool ftsan_pyquick_attached(void);
bool ftsan_pyquick_detached(void);
bool ftsan_pyquick_importing(const struct ftsan_pyabi *abi, uintptr_t tstate);
unsigned ftsan_pyquick_codes(const struct ftsan_pyabi *abi, uintptr_t tstate,
			     uintptr_t *codes, unsigned max);
bool ftsan_pyquick_file(const struct ftsan_pyabi *abi, uintptr_t code,
			uintptr_t code_type, char *file, size_t capacity_bytes);

#endif
