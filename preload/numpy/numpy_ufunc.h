/*
 * Calls of ufuncs: np.add(a, b), and every operator that comes to one.
 *
 * A ufunc is called through a pointer in the object itself (PEP 590), which its
 * constructor sets, so there is one entry to redirect for each ufunc: for NumPy's own
 * once they are in the module's dictionary, for others when they have been made.
 *
 * Context of everything: that of ftsan_ops_hook().
 */
#ifndef FTSAN_PRELOAD_NUMPY_UFUNC_H
#define FTSAN_PRELOAD_NUMPY_UFUNC_H

/*
 * A capsule without a name was made: is @table the ufunc API table? Then the methods of
 * the type (reduce, at, ...) are hooked, and the functions by which other modules make
 * ufuncs. Once.
 */
void ftsan_ufunc_see_capsule(void *table);

/* Something has been stored in a dictionary under @key: the ufunc API table is the last
 * thing that NumPy's module stores in its own, and all its ufuncs are redirected then. */
void ftsan_ufunc_see_item(void *dictionary, const char *key);

/* Every ufunc among the values of @dictionary is called directly again. */
void ftsan_ufunc_restore_all(void *dictionary);
void ftsan_ufunc_redirect_all(void *dictionary);
/* The end of a detach: ftsan_ufunc_see_capsule() may be called again. */
void ftsan_ufunc_forget(void);

#endif
