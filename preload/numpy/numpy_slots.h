/*
 * Type slots: what a[i], repr(a), memoryview(a) and the like call.
 *
 * Context of everything: that of ftsan_ops_hook().
 */
#ifndef FTSAN_PRELOAD_NUMPY_SLOTS_H
#define FTSAN_PRELOAD_NUMPY_SLOTS_H

#include "python/python.h"

/*
 * The slots of a ready static PyTypeObject that are given an array: of ndarray, and of
 * flatiter (numpy.ndarray.flat). In mode=race only those are hooked by which arrays are
 * most used; the bound on their cost is that of the whole mode.
 */
void ftsan_slots_hook_array(void *type);
void ftsan_slots_hook_iterator(void *type);

/*
 * A constructor that is given arrays: nditer's tp_init, broadcast's tp_new. Never the
 * other one of the two: where it is inherited from object, CPython compares its address
 * (Objects/typeobject.c, object_init() and object_new(), 3.13.5).
 */
void ftsan_slots_hook_constructor(void *type, enum ftsan_type_member member,
				  const char *owner);

/*
 * A Python class that exists already has copies of its base's slots: those of @type, a
 * subclass of ndarray, get what ndarray's own slots hold now, if they were copies.
 */
void ftsan_slots_follow(const void *array, void *type);

/* What is left of our functions in @type's slots and descriptors becomes the originals.
 */
void ftsan_slots_restore(void *type);

#endif
