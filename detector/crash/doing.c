#include "crash/doing.h"

#include <string.h>

#include "base/base.h"
#include "crash/callee.h"
#include "crash/type_slots.h"
#include "stacks/stacks.h"

enum {
	FRAMES_LOOKED_AT = 8, /* of Python, from the innermost */
	SLOT_OPERANDS = 4,    /* an instruction without a call takes no more */
};

/* Types whose objects all threads have in common, rightly so. */
static bool is_interesting(const struct ftsan_look *look, uintptr_t object)
{
	static const char *const dull[] = {
		"NoneType", "int",   "str",	 "bytes",    "bool",
		"float",    "tuple", "function", "ellipsis", "NotImplementedType",
		"module",   "code",  "type",	 "complex",
	};
	uintptr_t type = ftsan_look_type(look, object);
	char name[64];
	struct ftsan_callee callee;

	if (type == 0 || ftsan_look_is_type(look, object) ||
	    !ftsan_type_name(look->of, type, name, sizeof(name)))
		return false;
	/* What can be called is a method of something, mostly. */
	return !FTSAN_STR_IS_ONE(name, dull) &&
	       !(ftsan_callee_of(look, object, &callee) && callee.def != 0);
}

static void add_other(const struct ftsan_look *look, uintptr_t object,
		      struct ftsan_doing *out)
{
	if (out->n_others == FTSAN_DOING_OTHERS || object == out->object ||
	    !is_interesting(look, object))
		return;
	for (unsigned i = 0; i < out->n_others; i++)
		if (out->others[i] == object)
			return;
	out->others[out->n_others++] = object;
}

static void put_name(char *to, uint32_t capacity, const char *owner, const char *name)
{
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, to, capacity);
	ftsan_buf_str(&buf, owner);
	/* What has no name of a method: "list deallocation". */
	if (buf.length > 0 && name[0] != ' ')
		ftsan_buf_char(&buf, '.');
	ftsan_buf_str(&buf, name);
	(void)ftsan_buf_cstr(&buf);
}

/* "_fblas" of what the function says, or ".../_fblas.cpython-313t-x86_64-linux-gnu.so".
 */
static void module_name(const struct ftsan_look *look, const struct ftsan_callee *callee,
			char *to, uint32_t capacity)
{
	const struct ftsan_module *module = ftsan_module_of(callee->function);
	const char *base;

	to[0] = '\0';
	if (callee->module != 0 &&
	    ftsan_pytext_read(look->of->abi, callee->module, to, capacity, true))
		return;
	if (module == NULL)
		return;
	base = ftsan_str_base_name(module->path);
	ftsan_str_copy(to, capacity, base, strcspn(base, "."));
}

/* The receiver of a method that is not bound: the value above, or the first argument. */
static uintptr_t receiver(const struct ftsan_look *look, unsigned at)
{
	const struct ftsan_operands *values = &look->operands;

	for (unsigned i = 1; i <= 2 && i <= at; i++)
		if (values->value[at - i] != 0)
			return values->value[at - i];
	return 0;
}

static bool is_instance(const struct ftsan_look *look, uintptr_t object, uintptr_t type)
{
	uintptr_t at = ftsan_look_type(look, object);

	for (unsigned i = 0; at != 0 && i < 16; i++) {
		if (at == type)
			return true;
		if (!ftsan_type_slot(look->of, at, FTSAN_SLOT_BASE, &at))
			return false;
	}
	return false;
}

static void describe_call(const struct ftsan_look *look, unsigned at,
			  const struct ftsan_callee *callee, enum ftsan_match how,
			  struct ftsan_doing *out)
{
	char owner[64] = "", name[64] = "__call__";
	uintptr_t text;

	out->certain = how == FTSAN_MATCH_EXACT;
	out->function = callee->function;
	out->object = callee->object;
	if (callee->unbound)
		out->object = receiver(look, at);
	if (callee->owner != 0 && callee->unbound &&
	    !is_instance(look, out->object, callee->owner))
		out->object = 0;
	/* Of a Cython function, which may be a method or not. */
	if (callee->unbound && callee->owner == 0 && !is_interesting(look, out->object))
		out->object = 0;
	if (callee->owner == 0 && callee->object == 0 && at > 0 &&
	    look->operands.value[at - 1] == 0)
		out->object = 0;
	if (callee->def != 0 && (!ftsan_safe_ptr(callee->def + FTSAN_DEF_NAME, &text) ||
				 !ftsan_safe_string(name, sizeof(name), text)))
		name[0] = '\0';
	if (out->object != 0)
		(void)ftsan_type_name(look->of, ftsan_look_type(look, out->object),
				      out->type, sizeof(out->type));
	if (callee->owner != 0)
		(void)ftsan_type_name(look->of, callee->owner, owner, sizeof(owner));
	else if (out->object != 0)
		memcpy(owner, out->type, sizeof(owner));
	else
		module_name(look, callee, owner, sizeof(owner));
	if (callee->makes != 0) {
		(void)ftsan_type_name(look->of, callee->makes, owner, sizeof(owner));
		memcpy(name, "__init__", sizeof("__init__"));
	}
	/* A module is what its functions are bound to. */
	if (strcmp(owner, "module") == 0) {
		module_name(look, callee, owner, sizeof(owner));
		out->object = 0;
		out->type[0] = '\0';
	}
	put_name(out->name, sizeof(out->name), owner, name);
	for (unsigned i = 0; i < at; i++)
		add_other(look, look->operands.value[i], out);
}

/* A value on the stack that may be what is called. */
struct call {
	struct ftsan_callee callee;
	enum ftsan_match how;
	unsigned at;
};

static struct call find_call(const struct ftsan_look *look, bool innermost)
{
	const struct ftsan_operands *values = &look->operands;
	struct call best = {.how = FTSAN_NO_MATCH};

	for (unsigned i = 0; i < values->n; i++) {
		struct ftsan_callee callee;
		enum ftsan_match how;

		if (!ftsan_callee_of(look, values->value[i], &callee))
			continue;
		/* What the interpreter called to get to an inner frame is no operation.
		 */
		if (!innermost && ftsan_look_is_builtin(look, callee.function))
			continue;
		how = ftsan_callee_match(look, callee.function);
		if (how > best.how)
			best = (struct call){.callee = callee, .how = how, .at = i};
	}
	return best;
}

/* An instruction that calls no function by name: d[k] = v, next(i), o.attribute. */
static bool find_slot(const struct ftsan_look *look, struct ftsan_doing *out)
{
	const struct ftsan_operands *values = &look->operands;
	unsigned n = values->n < SLOT_OPERANDS ? values->n : SLOT_OPERANDS;
	const char *name;

	if (!values->top_known)
		n = values->n;
	for (unsigned i = 0; i < n; i++) {
		uintptr_t type = ftsan_look_type(look, values->value[i]);

		if (type == 0 || ftsan_look_is_type(look, values->value[i]))
			continue;
		name = ftsan_type_slot_running(look->of, type, look->start,
					       look->n_starts, &out->function);
		if (name == NULL)
			continue;
		out->certain = true;
		out->object = values->value[i];
		(void)ftsan_type_name(look->of, type, out->type, sizeof(out->type));
		put_name(out->name, sizeof(out->name), out->type, name);
		for (unsigned k = 0; k < n; k++)
			add_other(look, values->value[k], out);
		return true;
	}
	return false;
}

/*
 * Which function runs is not known (it ended with a jump to another one, say): what it
 * was given is. Containers that any code may hold say nothing.
 */
static void take_operands(const struct ftsan_look *look, struct ftsan_doing *out)
{
	static const char *const plain[] = {"list", "dict", "set", "range_iterator",
					    "list_iterator"};
	const struct ftsan_operands *values = &look->operands;
	unsigned n = values->top_known && values->n > SLOT_OPERANDS ? SLOT_OPERANDS
								    : values->n;
	char name[64];

	for (unsigned i = 0; i < n; i++) {
		uintptr_t type = ftsan_look_type(look, values->value[i]);

		if (ftsan_type_name(look->of, type, name, sizeof(name)) &&
		    !FTSAN_STR_IS_ONE(name, plain))
			add_other(look, values->value[i], out);
	}
}

/*
 * Of "f(a == b)" the comparison is on the native stack for certain, and f no more than in
 * a module of which something runs.
 */
static bool find_operation(const struct ftsan_look *look, bool innermost,
			   struct ftsan_doing *out)
{
	struct call call = find_call(look, innermost);

	if (innermost && call.how < FTSAN_MATCH_OWN && find_slot(look, out))
		return true;
	if (call.how != FTSAN_NO_MATCH)
		describe_call(look, call.at, &call.callee, call.how, out);
	return call.how != FTSAN_NO_MATCH;
}

/*
 * "for x in o": the loop's iterator lies on the stack while the loop's body runs. Those
 * of the interpreter's own types go through a container of whoever.
 */
static void add_loops(const struct ftsan_look *look, struct ftsan_doing *out)
{
	const struct ftsan_operands *values = &look->operands;

	if (!values->top_known)
		return;
	for (unsigned i = 0; i < values->n; i++) {
		uintptr_t type = ftsan_look_type(look, values->value[i]), next;

		if (ftsan_type_slot(look->of, type, FTSAN_SLOT_ITERNEXT, &next) &&
		    !ftsan_look_is_builtin(look, next))
			add_other(look, values->value[i], out);
	}
}

/*
 * While the body of "with lock:" runs, its lock lies on the stack, or what is called at
 * its end, which is bound to it (3.13). One that is about to be taken is what the frame
 * does.
 */
static void add_locks(const struct ftsan_look *look, struct ftsan_doing *out)
{
	static const char *const locks[] = {"lock", "RLock"};
	const struct ftsan_operands *values = &look->operands;

	for (unsigned i = 0; i < values->n; i++) {
		uintptr_t object = values->value[i];
		struct ftsan_callee callee;
		char name[64];

		if (ftsan_callee_of(look, object, &callee) && callee.object != 0)
			object = callee.object;
		if (object != out->object && out->n_locks < FTSAN_DOING_LOCKS &&
		    ftsan_type_name(look->of, ftsan_look_type(look, object), name,
				    sizeof(name)) &&
		    FTSAN_STR_IS_ONE(name, locks))
			out->locks[out->n_locks++] = object;
	}
}

/* A function that all threads have in common, and that keeps nothing between two calls:
 * what two threads share is what they give it. */
static void forget_common(struct ftsan_doing *out)
{
	if (strcmp(out->type, "ufunc") != 0)
		return;
	out->object = 0;
	out->function = 0;
	out->type[0] = '\0';
}

bool ftsan_doing(const struct ftsan_interpreter *interpreter, uintptr_t tstate,
		 const struct ftsan_stack *stack, struct ftsan_doing *out)
{
	struct ftsan_look look = {.of = interpreter, .stack = stack};
	bool found = false;

	memset(out, 0, sizeof(*out));
	if (tstate == 0 || !interpreter->abi->known)
		return false;
	ftsan_look_starts(&look);
	for (unsigned depth = 0; depth < FRAMES_LOOKED_AT; depth++) {
		if (!ftsan_pyoperands(interpreter->abi, tstate, interpreter->code_type,
				      depth, &look.operands))
			break;
		if (!found && find_operation(&look, depth == 0, out)) {
			found = true;
			forget_common(out);
			out->builtin = ftsan_look_is_builtin(&look, out->function);
		} else if (depth == 0) {
			take_operands(&look, out);
		}
		if (depth == 0)
			add_loops(&look, out);
		add_locks(&look, out);
	}
	return found;
}
