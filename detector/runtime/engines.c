#include "runtime/engines.h"

#include <errno.h>

#include "adapters/adapters.h"
#include "base/base.h"
#include "crash/crash.h"
#include "decode/decode.h"
#include "freed/freed.h"
#include "locks/locks.h"
#include "memory/memory.h"
#include "operations/operations.h"
#include "pages/pages.h"
#include "runtime/canary.h"
#include "runtime/records.h"
#include "sampler/sampler.h"
#include "stacks/stacks.h"
#include "statics/statics.h"
#include "threads/threads.h"
#include "words/words.h"

/* Set at start. */
static const struct ftsan_host *host;
static const struct ftsan_options *options;
static int guard_error, statics_error;
static bool canary;

/* The frames of a detached thread are still there. */
static void *own_tstate(void)
{
	bool attached;

	return (void *)ftsan_pyquick_state(&ftsan_abi, host->tstate_get,
					   host->tstate_gilstate, &attached);
}

static unsigned walk_python(struct ftsan_pyframe *out, unsigned max, bool *more)
{
	void *tstate = own_tstate();

	if (tstate == NULL)
		return 0;
	return ftsan_pyframes_walk(&ftsan_abi, (uintptr_t)tstate, host->py_code_type, out,
				   max, more);
}

void ftsan_engines_stacks(const struct ftsan_host *the_host,
			  const struct ftsan_options *the_options)
{
	struct ftsan_pyabi abi;

	host = the_host;
	options = the_options;
	(void)ftsan_pyabi_read(&abi, host->py_runtime, host->py_version);
	ftsan_alloc_site_init(&abi, host->tstate_get, host->tstate_gilstate);
	ftsan_stack_set_unwinder(host->unwinder);
	ftsan_stack_set_own_range(host->own_begin, host->own_end);
	ftsan_watch_set_own_text(host->own_begin, host->own_end);
	if (ftsan_abi.known)
		ftsan_stack_set_python(walk_python);
	(void)ftsan_modules_refresh(host->iterate);
	ftsan_symbols_set_eval(host->py_eval);
	ftsan_witness_init(&(struct ftsan_interpreter){.abi = &ftsan_abi,
						       .code_type = host->py_code_type,
						       .type_type = host->py_type_type,
						       .own_begin = host->own_begin,
						       .own_end = host->own_end},
			   own_tstate);
}

/* Is there anything to be seen in array headers? */
static bool watches(void)
{
	return ftsan_options_latent(options) ||
	       (ftsan_options_race(options) && ftsan_abi.free_threaded);
}

/* What the engine of guarded buffers asks those above it. */
static struct ftsan_guard_host guard_host = {
	.adapters = {[FTSAN_ADAPTER_CANARY] = &ftsan_adapter_canary,
		     [FTSAN_ADAPTER_NUMPY] = &ftsan_adapter_numpy,
		     [FTSAN_ADAPTER_CYTHON] = &ftsan_adapter_cython},
	.freeing = ftsan_operation_with,
};

static int start_guard(void)
{
	int error = 0;

	guard_host.on_store = ftsan_latent() ? ftsan_hazard_look : NULL;
	guard_host.own_begin = host->own_begin;
	guard_host.own_end = host->own_end;
	guard_host.canary_begin = ftsan_canary_text(&guard_host.canary_end);
	if (options->guard)
		error = ftsan_guard_init(options, &guard_host, ftsan_abi.free_threaded);
	return error;
}

static bool samples(void)
{
	return options->sampler && ftsan_options_race(options);
}

static void start_statics(void)
{
	static struct ftsan_static_host told;

	/* When a module has been initialised is not known there. */
	if (!ftsan_abi.known)
		return;
	told = (struct ftsan_static_host){
		.abi = &ftsan_abi,
		.interpreter = (uintptr_t)host->py_runtime,
		.code_type = host->py_code_type,
		.tstate_get = host->tstate_get,
		.tstate_gilstate = host->tstate_gilstate,
		.finalizing = host->finalizing,
		.delays = ftsan_options_race(options),
		.own_begin = host->own_begin,
		.own_end = host->own_end,
	};
	ftsan_memory_init(&ftsan_abi, host->py_type_type);
	statics_error = ftsan_statics_init(options, &told);
}

static void start_freed(void)
{
	(void)ftsan_freed_init(
		options, &(struct ftsan_freed_host){.abi = &ftsan_abi,
						    .type_type = host->py_type_type,
						    .own_begin = host->own_begin,
						    .own_end = host->own_end,
						    .release = host->freed_release});
}

static void start_sampler(void)
{
	(void)ftsan_sampler_init(
		options,
		&(struct ftsan_sampler_host){.iterate = host->iterate,
					     .interpreter = (uintptr_t)host->py_runtime,
					     .code_type = host->py_code_type,
					     .called = {(uintptr_t)host->tstate_get,
							(uintptr_t)host->tstate_gilstate,
							(uintptr_t)host->finalizing},
					     .cache = host->cache,
					     .attached = host->attached});
}

/* The sampler holds two at a time, the statics one. */
static void start_everyone(void)
{
	bool sampler = samples() && ftsan_sampler_active();

	if (sampler || ftsan_statics_race())
		(void)ftsan_everyone_init(sampler ? 2 : 1, host->attached);
}

void ftsan_engines_start(void)
{
	(void)ftsan_mem_init();
	ftsan_decode_init(host->zydis_init, host->zydis_decode);
	ftsan_numpy_init(ftsan_abi.object_size);
	ftsan_cython_init(ftsan_abi.ob_type, host->py_code_type);
	ftsan_operation_init(options, ftsan_abi.free_threaded);
	if (host->attached)
		ftsan_workers_many();
	start_statics();
	start_freed();
	if (samples())
		start_sampler();
	ftsan_sampler_names(ftsan_header_name_field);
	start_everyone();
	if (options->watch && watches())
		(void)ftsan_watch_init();
	ftsan_header_init(options, ftsan_abi.free_threaded);
	guard_error = start_guard();
	canary = guard_error == 0 && options->guard && options->canary &&
		 ftsan_canary_run();
}

void ftsan_engines_record(void)
{
	ftsan_record_engine(host, guard_error == 0 && options->guard,
			    !options->guard	     ? "switched off (guard=0)"
			    : guard_error == -EINVAL ? "unknown value of the option store"
						     : "no memory for the arena",
			    canary);
	if (watches())
		ftsan_record_watch();
	if (samples())
		ftsan_record_sampler();
	ftsan_record_freed();
	if (statics_error != 0)
		ftsan_record_statics(false, "no memory for its tables");
	else if (ftsan_statics_on())
		ftsan_record_statics(true, ftsan_statics_choice(options));
}
