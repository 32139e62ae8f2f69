/*
 * The call of a ufunc, redirected in the object itself (numpy_ufunc.h).
 *
 * Context of everything: that of ftsan_ops_hook().
 */
#ifndef FTSAN_PRELOAD_NUMPY_UFUNC_CALL_H
#define FTSAN_PRELOAD_NUMPY_UFUNC_CALL_H

#include <stdbool.h>

/* The type of ufuncs is known, and its ufuncs may be redirected. */
void ftsan_ufunc_set_type(void *type);
/* No longer, until the next time. */
void ftsan_ufunc_rest(void);

bool ftsan_is_ufunc(const void *object);

/* Are the members of np.add where they are looked for? Then they are trusted. */
void ftsan_ufunc_learn_layout(void *add);

/* Redirects the calls of a new object, if it is a ufunc; NULL is none. */
void ftsan_ufunc_made(void *object);
/* Undoes it. */
void ftsan_ufunc_unmade(void *object);

#endif
