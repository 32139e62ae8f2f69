#include "python/hook_frames.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/base.h"
#include "code/code.h"
#include "findings/findings.h"
#include "hooks/hooks.h"
#include "python/code_history.h"
#include "runtime/runtime.h"
#include "stacks/stacks.h"
#include "threads/threads.h"

/* What is needed to leave an exception behind; looked up when first needed. */
static struct {
	void *(*occurred)(void);
	void *(*no_memory)(void);
	void (*set_string)(void *type, const char *text);
	void **system_error;
	_Atomic bool ready;
} errors;

FTSAN_TLS const void *ftsan_frames_refused;

static void look_up(void)
{
	if (atomic_load_explicit(&errors.ready, memory_order_acquire))
		return;
	/* Two threads may both look up: they store the same. */
	*(void **)&errors.occurred = ftsan_real_lookup(RTLD_DEFAULT, "PyErr_Occurred");
	*(void **)&errors.no_memory = ftsan_real_lookup(RTLD_DEFAULT, "PyErr_NoMemory");
	*(void **)&errors.set_string = ftsan_real_lookup(RTLD_DEFAULT, "PyErr_SetString");
	*(void **)&errors.system_error =
		ftsan_real_lookup(RTLD_DEFAULT, "PyExc_SystemError");
	atomic_store_explicit(&errors.ready, true, memory_order_release);
}

static bool attached(void)
{
	const struct ftsan_host *host = ftsan_runtime_host();

	return host->tstate_get != NULL && host->tstate_get() != NULL;
}

static void add_history(struct ftsan_incident *incident, struct ftsan_code_past *past,
			const void *code)
{
	if (!ftsan_code_history_find((uintptr_t)code, past))
		return;
	incident->alloc = &past->created;
	incident->alloc_tid = past->created_tid;
	if (past->destroyed != NULL)
		incident->parties[incident->n_parties++] =
			(struct ftsan_party){.role = FTSAN_ROLE_FREE,
					     .tid = past->destroyed_tid,
					     .name = "",
					     .stack = past->destroyed};
}

static void report(enum ftsan_kind kind, const char *title, const char *description,
		   const void *code)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	struct ftsan_code_past past;
	struct ftsan_incident incident = {.kind = kind,
					  .confidence = FTSAN_CONFIRMED,
					  .address = (uintptr_t)code,
					  .title = title,
					  .description = description,
					  .n_parties = 1};

	/* A vfork child shares our memory and must leave no trace in it. */
	if (thread == NULL || !ftsan_preload_own())
		return;
	ftsan_thread_read_name(thread);
	ftsan_stack_capture_here(&thread->stack);
	incident.parties[0] = (struct ftsan_party){
		.role = FTSAN_ROLE_CALL,
		.tid = atomic_load_explicit(&thread->tid, memory_order_relaxed),
		.name = thread->name,
		.stack = &thread->stack};
	if (code != NULL)
		add_history(&incident, &past, code);
	(void)ftsan_report(&incident);
}

static enum ftsan_frame_fault check(void *tstate, void *code, void *globals)
{
	const struct ftsan_host *host = ftsan_runtime_host();
	void *own = host->tstate_get != NULL ? host->tstate_get() : NULL;
	struct ftsan_frame_facts facts = {
		.globals_null = globals == NULL,
		.tstate_null = tstate == NULL,
		.tstate_foreign = own != NULL && tstate != own,
	};
	enum ftsan_frame_fault fault;

	if (ftsan_code_history_is_whole((uintptr_t)code)) {
		facts.has_name = facts.has_filename = facts.has_bytecode = true;
		(void)ftsan_code_read_head(ftsan_runtime_abi(), (uintptr_t)code,
					   host->py_code_type, &facts);
		return ftsan_rule_frame(&facts);
	}
	ftsan_code_read(ftsan_runtime_abi(), (uintptr_t)code, host->py_code_type,
			host->py_unicode_type, &facts);
	fault = ftsan_rule_frame(&facts);
	if (fault == FTSAN_FRAME_GOOD)
		ftsan_code_history_set_whole((uintptr_t)code);
	return fault;
}

static bool heal(const void *code)
{
	look_up();
	if (!ftsan_preload_options()->heal || !attached() || errors.occurred == NULL ||
	    errors.no_memory == NULL)
		return false;
	/* The caller that adds a traceback has its exception pending; it stays. */
	if (errors.occurred() == NULL)
		(void)errors.no_memory();
	ftsan_frames_refused = code;
	return true;
}

bool ftsan_frames_refuse(void *tstate, void *code, void *globals)
{
	const struct ftsan_pyabi *abi;
	enum ftsan_frame_fault fault;

	if (!ftsan_preload_active())
		return false;
	abi = ftsan_runtime_abi();
	if (!abi->known)
		return false;
	ftsan_count(frames_checked);
	fault = check(tstate, code, globals);
	if (FTSAN_LIKELY(fault == FTSAN_FRAME_GOOD))
		return false;
	report(FTSAN_KIND_BAD_CODE, ftsan_frame_fault_text(fault),
	       "an argument of PyFrame_New()", code);
	return ftsan_rule_frame_fatal(fault, abi->version) && heal(code);
}

void ftsan_frames_created(void *code, uintptr_t caller)
{
	struct ftsan_alloc_site site;

	if (code == NULL || !ftsan_preload_active())
		return;
	ftsan_alloc_site_here(caller, &site);
	ftsan_code_history_created((uintptr_t)code, &site);
}

void ftsan_frames_traceback(void)
{
	if (!ftsan_preload_active())
		return;
	look_up();
	/* The caller is attached: PyTraceBack_Here() itself relies on it just the same.
	 */
	if (errors.occurred == NULL || errors.occurred() != NULL)
		return;
	report(FTSAN_KIND_NO_EXCEPTION,
	       "PyTraceBack_Here() was called with no exception set",
	       "the exception that a traceback is added to", NULL);
	if (ftsan_preload_options()->heal && errors.set_string != NULL &&
	    errors.system_error != NULL)
		errors.set_string(*errors.system_error,
				  "PyTraceBack_Here() was called with no exception set");
}
