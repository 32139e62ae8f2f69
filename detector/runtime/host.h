/* What the preloaded object tells the detector at start. */
#ifndef FTSAN_HOST_H
#define FTSAN_HOST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "stacks/stacks.h"

/**
 * struct ftsan_host - what the preload found in this process
 * @iterate:     dl_iterate_phdr
 * @unwinder:    NULL when libunwind could not be opened
 * @unwinder_reason: why, for the log
 * @zydis_init, @zydis_decode: ZydisDecoderInit and ZydisDecoderDecodeFull, or NULL
 * @zydis_reason: why not
 * @py_runtime:  address of _PyRuntime
 * @py_version:  value of Py_Version (3.11+), 0 when not exported
 * @py_code_type, @py_type_type, @py_unicode_type: addresses of the type objects
 * @py_eval:     address of _PyEval_EvalFrameDefault, 0 when not exported
 * @tstate_get:  PyThreadState_GetUnchecked (3.13+) or _PyThreadState_UncheckedGet
 * @tstate_gilstate: PyGILState_GetThisThreadState, for detached threads
 * @finalizing:  Py_IsFinalizing (3.13+) or _Py_IsFinalizing, NULL: not exported
 * @cache:       folder for what is kept between runs, or ""
 * @run_id:      FTSAN_RUN_ID of the environment, or ""
 * @root:        first process of the tree
 * @own_begin, @own_end: addresses of libftsan.so itself
 * @gil_kept_off: the interpreter was told to keep the GIL off
 * @attached:    the process ran already, without us
 * @gil_seen:    the GIL's state at that time, "on" or "off"; NULL: nobody looked
 * @freed_release: frees a block that was held back, see freed/freed.h
 * @hook_names, @hook_counts: for the engine record; @n_hooks entries, live
 */
struct ftsan_host {
	int (*iterate)(ftsan_phdr_callback, void *);
	const struct ftsan_unwinder *unwinder;
	const char *unwinder_reason;
	void *zydis_init;
	void *zydis_decode;
	const char *zydis_reason;
	const void *py_runtime;
	uint32_t py_version;
	uintptr_t py_code_type;
	uintptr_t py_type_type;
	uintptr_t py_unicode_type;
	uintptr_t py_eval;
	void *(*tstate_get)(void);
	void *(*tstate_gilstate)(void);
	int (*finalizing)(void);
	const char *cache;
	const char *run_id;
	bool root;
	uintptr_t own_begin;
	uintptr_t own_end;
	bool gil_kept_off;
	bool attached;
	const char *gil_seen;
	const char *const *hook_names;
	const _Atomic uint32_t *hook_counts;
	unsigned n_hooks;
	void (*freed_release)(unsigned origin, uintptr_t block);
};

#endif
