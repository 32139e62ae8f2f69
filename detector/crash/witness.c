#include "crash/witness.h"

#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

#include "base/base.h"
#include "crash/blocked.h"
#include "crash/moment.h"
#include "crash/type_slots.h"
#include "locks/locks.h"
#include "operations/operations.h"
#include "stacks/stacks.h"
#include "threads/threads.h"
#include "view/view.h"

/* Set once at start. */
static struct ftsan_interpreter interpreter;
static void *(*tstate_of)(void);

static _Atomic unsigned looking; /* threads; no room for one's own in static TLS */

bool ftsan_witness_looks(void)
{
	return atomic_load_explicit(&looking, memory_order_relaxed) > 0;
}

void ftsan_witness_look(bool begins)
{
	atomic_fetch_add(&looking, begins ? 1u : -1u);
}

void ftsan_witness_init(const struct ftsan_interpreter *of, void *(*tstate)(void))
{
	interpreter = *of;
	tstate_of = tstate;
}

/*
 * A jump to where no code is leaves nothing to unwind from: the caller is where the
 * return address says, if that is code.
 */
static const void *landed(const ucontext_t *uc, ucontext_t *copy)
{
	uintptr_t back;

	if (ftsan_module_of(ftsan_context_ip(uc)) != NULL ||
	    !ftsan_context_caller(uc, &back) || ftsan_module_of(back) == NULL)
		return uc;
	*copy = *uc;
	ftsan_context_uncall(copy, back);
	return copy;
}

static void put_operation(const struct ftsan_operation_frame *frame,
			  struct ftsan_doing *out)
{
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, out->name, sizeof(out->name));
	ftsan_buf_str(&buf, frame->operation->owner);
	if (buf.length > 0)
		ftsan_buf_char(&buf, '.');
	ftsan_buf_str(&buf, frame->name != NULL ? frame->name : frame->operation->name);
	(void)ftsan_buf_cstr(&buf);
	if (frame->n_arrays == 0)
		return;
	out->object = frame->arrays[0].header;
	(void)ftsan_type_name(&interpreter, ftsan_object_type(&interpreter, out->object),
			      out->type, sizeof(out->type));
}

static void add_array(struct ftsan_doing *out, uintptr_t header)
{
	for (unsigned i = 0; i < out->n_others; i++)
		if (out->others[i] == header)
			return;
	if (header != out->object && out->n_others < FTSAN_DOING_OTHERS)
		out->others[out->n_others++] = header;
}

/* A hooked operation that the thread is in knows its arrays. */
static void add_operation(struct ftsan_witness *out)
{
	const struct ftsan_thread *thread = ftsan_thread_mine;
	const struct ftsan_operation_frame *frame =
		thread != NULL ? ftsan_operations_of(thread)->innermost : NULL;

	/* One that the stack does not have any more was left without an end. */
	while (frame != NULL && frame->stack < out->sp)
		frame = frame->outer;
	if (frame == NULL)
		return;
	if (out->doing.name[0] == '\0')
		put_operation(frame, &out->doing);
	for (unsigned i = 0; i < frame->n_arrays; i++)
		add_array(&out->doing, frame->arrays[i].header);
}

static void take_name(struct ftsan_witness *out)
{
	struct ftsan_thread *thread = ftsan_thread_self();

	out->name[0] = '\0';
	if (thread == NULL)
		return;
	ftsan_thread_tell_name(thread, out->name, sizeof(out->name));
}

static void take_locks(struct ftsan_witness *out)
{
	const struct ftsan_thread *thread = ftsan_thread_mine;
	const struct ftsan_held *held = thread != NULL ? ftsan_held_of(thread) : NULL;
	uint32_t n;

	out->n_held = 0;
	out->waits_for = 0;
	if (held == NULL)
		return;
	out->waits_for = atomic_load_explicit(&held->waits_for, memory_order_relaxed);
	n = atomic_load_explicit(&held->n, memory_order_relaxed);
	for (uint32_t i = 0; i < n && i < FTSAN_HELD_MAX; i++) {
		uintptr_t lock = atomic_load_explicit(&held->locks[i].address,
						      memory_order_relaxed);

		if (lock != 0 && lock != out->waits_for &&
		    out->n_held < FTSAN_WITNESS_LOCKS)
			out->held[out->n_held++] = lock;
	}
}

/*
 * What was recorded goes before what the thread waits on in the kernel: to take one lock
 * may take another one inside, whose owner has not got the first. But who owns the
 * recorded one is what that says itself.
 */
static void take_blocked(struct ftsan_witness *out, const void *ucontext)
{
	struct ftsan_blocked at;

	ftsan_blocked_at(&at, ucontext, &out->stack);
	out->owner = out->waits_for == 0 || out->waits_for == at.lock ? at.owner : 0;
	if (out->waits_for != 0)
		return;
	out->waits_for = at.lock;
	/* What a threading.Lock waits on lies elsewhere before 3.14. */
	if (at.lock == 0 && strcmp(out->doing.type, "lock") == 0 &&
	    ftsan_moment_waits(&out->stack))
		out->waits_for = out->doing.object;
}

void ftsan_witness_take(struct ftsan_witness *out, const void *ucontext)
{
	const ucontext_t *uc = ucontext;
	ucontext_t copy;

	ftsan_witness_look(true);
	out->tid = ftsan_sys_gettid();
	out->sp = ftsan_context_sp(uc);
	take_name(out);
	ftsan_stack_capture(&out->stack, landed(uc, &copy));
	(void)ftsan_doing(&interpreter, tstate_of != NULL ? (uintptr_t)tstate_of() : 0,
			  &out->stack, &out->doing);
	add_operation(out);
	take_locks(out);
	take_blocked(out, ucontext);
	ftsan_witness_look(false);
}

bool ftsan_witness_is_beside(const struct ftsan_witness *witness, uintptr_t address)
{
	const struct ftsan_module *module = ftsan_module_of(address);

	if (module == NULL || module == ftsan_module_of(interpreter.code_type))
		return false;
	for (unsigned i = 0; i < witness->stack.n_native; i++)
		if (ftsan_module_of(witness->stack.pc[i] - (i > 0)) == module)
			return true;
	return false;
}

bool ftsan_witness_is_plain(const struct ftsan_witness *witness)
{
	const struct ftsan_module *python = ftsan_module_of(interpreter.code_type);

	for (unsigned i = 0; i < witness->stack.n_native; i++) {
		const struct ftsan_module *module =
			ftsan_module_of(witness->stack.pc[i] - (i > 0));
		struct ftsan_view_frame frame = {.module = module != NULL ? module->path
									  : ""};

		if (module != python && !ftsan_view_is_libc(&frame))
			return false;
	}
	return python != NULL && witness->stack.n_native > 0;
}

static bool is_within(uintptr_t object, uintptr_t address)
{
	uintptr_t size;

	return object != 0 && address >= object &&
	       ftsan_type_slot(&interpreter, ftsan_object_type(&interpreter, object),
			       FTSAN_SLOT_BASICSIZE, &size) &&
	       address - object < size;
}

bool ftsan_witness_has(const struct ftsan_witness *witness, uintptr_t address)
{
	const struct ftsan_doing *doing = &witness->doing;

	if (is_within(doing->object, address))
		return true;
	for (unsigned i = 0; i < doing->n_others; i++)
		if (is_within(doing->others[i], address))
			return true;
	for (unsigned i = 0; i < doing->n_locks; i++)
		if (is_within(doing->locks[i], address))
			return true;
	return false;
}
