/*
 * Checks at PyFrame_New(), PyCode_NewEmpty() and PyTraceBack_Here().
 *
 * Context of everything: normal context.
 */
#ifndef FTSAN_PRELOAD_HOOK_FRAMES_H
#define FTSAN_PRELOAD_HOOK_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"

/**
 * ftsan_frames_refuse() - look at the arguments of PyFrame_New()
 *
 * Reports what is wrong with them. Return: true when the call would kill the process
 * and heal mode saves it: an exception is set, the caller returns NULL.
 */
bool ftsan_frames_refuse(void *tstate, void *code, void *globals);

/* PyCode_NewEmpty() returned @code to @caller. */
void ftsan_frames_created(void *code, uintptr_t caller);

/* PyTraceBack_Here() is called: reports a missing exception, and sets one to heal. */
void ftsan_frames_traceback(void);

/* The object that this thread's last PyFrame_New() was refused for. */
extern FTSAN_TLS const void *ftsan_frames_refused;

/* A reference to @object is given up: is it the bad object that was just refused, whose
 * header is not to be touched? Once for each refusal. Inline: every decref asks. */
static inline bool ftsan_frames_absorb(const void *object)
{
	if (FTSAN_LIKELY(ftsan_frames_refused == NULL) || ftsan_frames_refused != object)
		return false;
	ftsan_frames_refused = NULL;
	return true;
}

#endif
