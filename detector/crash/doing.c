#include "crash/doing.h"

#include <string.h>

#include "base/base.h"
#include "crash/type_slots.h"
#include "stacks/stacks.h"

enum {
	FRAMES_LOOKED_AT = 8, /* of Python, from the innermost */
	STARTS_MAX = 24,      /* native functions, from the innermost */
	SLOT_OPERANDS = 4,    /* an instruction without a call takes no more */
};

/* Right behind the object's head. Include/cpython/methodobject.h, descrobject.h and
 * classobject.h, 3.11 to 3.15. */
enum {
	CFUNCTION_DEF = 0,
	CFUNCTION_SELF = 8,
	CFUNCTION_MODULE = 16,
	DESCR_TYPE = 0,
	DESCR_DEF = 24,
	METHOD_FUNCTION = 0,
	METHOD_SELF = 8,
	/* struct PyMethodDef */
	DEF_NAME = 0,
	DEF_FUNCTION = 8,
};

/* struct look - what is constant while one thread is looked at. */
struct look {
	const struct ftsan_interpreter *of;
	const struct ftsan_stack *stack;
	unsigned n_starts;
	uintptr_t start[STARTS_MAX];
	struct ftsan_operands operands;
};

/**
 * struct callee - a value that could be what is called
 * @function: C function that would run
 * @object:   what it is bound to, 0: none
 * @def:      PyMethodDef, 0: the object itself is called
 * @owner:    type that the method is of, 0: none
 * @module:   str with the module's name, 0: it has none
 * @makes:    type that an object is made of, 0: none
 * @unbound:  the object is the next value
 */
struct callee {
	uintptr_t function, object, def, owner, module, makes;
	bool unbound;
};

/* How well a function agrees with the native stack. */
enum match { NO_MATCH, SAME_MODULE, OWN, EXACT };

static bool head(const struct look *look, uintptr_t object, uint32_t offset,
		 uintptr_t *value)
{
	return ftsan_safe_ptr(object + look->of->abi->object_size + offset, value);
}

static uintptr_t type_of(const struct look *look, uintptr_t object)
{
	return ftsan_object_type(look->of, object);
}

static bool is_named(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

#define IS_NAMED(name, names) is_named(name, names, FTSAN_ARRAY_LEN(names))

static bool is_type(const struct look *look, uintptr_t object)
{
	uintptr_t type = type_of(look, object);

	return type != 0 && (type == look->of->type_type ||
			     type_of(look, type) != look->of->type_type);
}

static void take_def(uintptr_t def, struct callee *out)
{
	out->def = def;
	if (!ftsan_safe_ptr(def + DEF_FUNCTION, &out->function))
		out->function = 0;
}

/* An object that is called by its type's tp_call, or by a pointer of its own. */
static void take_object(const struct look *look, uintptr_t object, uintptr_t type,
			struct callee *out)
{
	uintptr_t offset;

	out->object = object;
	if (ftsan_type_slot(look->of, type, FTSAN_SLOT_VECTORCALL_OFFSET, &offset) &&
	    offset >= 16 && offset < 4096 &&
	    ftsan_safe_ptr(object + offset, &out->function) && out->function != 0)
		return;
	if (!ftsan_type_slot(look->of, type, FTSAN_SLOT_CALL, &out->function))
		out->function = 0;
}

static enum match match(const struct look *look, uintptr_t function);

/* callee_of() - false: it can't be called, or runs no C function of its own. */
static bool callee_of(const struct look *look, uintptr_t object, struct callee *out)
{
	static const char *const functions[] = {
		"builtin_function_or_method", "builtin_method",
		"cython_function_or_method", "fused_cython_function"};
	static const char *const plain[] = {"function", "method-wrapper", "partial"};
	uintptr_t type = type_of(look, object), def, bound;
	char name[64];

	*out = (struct callee){0};
	if (type == 0 || !ftsan_type_name(look->of, type, name, sizeof(name)))
		return false;
	if (strcmp(name, "method") == 0) {
		if (!head(look, object, METHOD_SELF, &bound) ||
		    !head(look, object, METHOD_FUNCTION, &object) ||
		    (type = type_of(look, object)) == 0 ||
		    !ftsan_type_name(look->of, type, name, sizeof(name)) ||
		    !IS_NAMED(name, functions) ||
		    !head(look, object, CFUNCTION_DEF, &def))
			return false;
		take_def(def, out);
		out->object = bound;
		out->owner = type_of(look, bound);
	} else if (IS_NAMED(name, functions)) {
		if (!head(look, object, CFUNCTION_DEF, &def) ||
		    !head(look, object, CFUNCTION_SELF, &bound))
			return false;
		take_def(def, out);
		if (!head(look, object, CFUNCTION_MODULE, &out->module))
			out->module = 0;
		out->unbound = name[0] != 'b'; /* Cython's methods, not bound here */
		if (name[0] == 'b' && bound != 0 && !is_type(look, bound)) {
			out->object = bound;
			out->owner = type_of(look, bound);
		}
	} else if (strcmp(name, "method_descriptor") == 0) {
		if (!head(look, object, DESCR_DEF, &def) ||
		    !head(look, object, DESCR_TYPE, &out->owner))
			return false;
		take_def(def, out);
		out->unbound = true;
	} else if (is_type(look, object)) {
		out->makes = object;
		if (!ftsan_type_slot(look->of, object, FTSAN_SLOT_INIT, &out->function) ||
		    match(look, out->function) != EXACT)
			(void)ftsan_type_slot(look->of, object, FTSAN_SLOT_NEW,
					      &out->function);
	} else if (!IS_NAMED(name, plain)) {
		take_object(look, object, type, out);
	}
	return out->function != 0;
}

static bool runs_module(const struct look *look, const struct ftsan_module *module)
{
	for (unsigned i = 0; i < look->stack->n_native; i++)
		if (ftsan_module_of(look->stack->pc[i] - (i > 0)) == module)
			return true;
	return false;
}

static enum match match(const struct look *look, uintptr_t function)
{
	const struct ftsan_module *module;

	for (unsigned i = 0; i < look->n_starts; i++)
		if (look->start[i] == function)
			return EXACT;
	/* Frames of ours are not shown, so a function that we stand in for is not met. */
	if (function - look->of->own_begin < look->of->own_end - look->of->own_begin)
		return OWN;
	module = ftsan_module_of(function);
	/* The interpreter's own frames are on every stack. */
	if (module == NULL || module == ftsan_module_of(look->of->code_type))
		return NO_MATCH;
	/* A function that ends with a jump to another one has left the stack. */
	return runs_module(look, module) ? SAME_MODULE : NO_MATCH;
}

/* Types whose objects all threads have in common, rightly so. */
static bool is_interesting(const struct look *look, uintptr_t object)
{
	static const char *const dull[] = {
		"NoneType", "int",   "str",	 "bytes",    "bool",
		"float",    "tuple", "function", "ellipsis", "NotImplementedType",
		"module",   "code",  "type",	 "complex",
	};
	uintptr_t type = type_of(look, object);
	char name[64];
	struct callee callee;

	if (type == 0 || is_type(look, object) ||
	    !ftsan_type_name(look->of, type, name, sizeof(name)))
		return false;
	/* What can be called is a method of something, mostly. */
	return !IS_NAMED(name, dull) &&
	       !(callee_of(look, object, &callee) && callee.def != 0);
}

static void add_other(const struct look *look, uintptr_t object, struct ftsan_doing *out)
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
	if (buf.length > 0)
		ftsan_buf_char(&buf, '.');
	ftsan_buf_str(&buf, name);
	(void)ftsan_buf_cstr(&buf);
}

/* "_fblas" of what the function says, or ".../_fblas.cpython-313t-x86_64-linux-gnu.so".
 */
static void module_name(const struct look *look, const struct callee *callee, char *to,
			uint32_t capacity)
{
	const struct ftsan_module *module = ftsan_module_of(callee->function);
	const char *base;
	uint32_t length;

	to[0] = '\0';
	if (callee->module != 0 &&
	    ftsan_pytext_read(look->of->abi, callee->module, to, capacity, true))
		return;
	if (module == NULL)
		return;
	base = strrchr(module->path, '/');
	base = base != NULL ? base + 1 : module->path;
	length = (uint32_t)strcspn(base, ".");
	if (length >= capacity)
		length = capacity - 1;
	memcpy(to, base, length);
	to[length] = '\0';
}

/* The receiver of a method that is not bound: the value above, or the first argument. */
static uintptr_t receiver(const struct look *look, unsigned at)
{
	const struct ftsan_operands *values = &look->operands;

	for (unsigned i = 1; i <= 2 && i <= at; i++)
		if (values->value[at - i] != 0)
			return values->value[at - i];
	return 0;
}

static bool is_instance(const struct look *look, uintptr_t object, uintptr_t type)
{
	uintptr_t at = type_of(look, object);

	for (unsigned i = 0; at != 0 && i < 16; i++) {
		if (at == type)
			return true;
		if (!ftsan_type_slot(look->of, at, FTSAN_SLOT_BASE, &at))
			return false;
	}
	return false;
}

static void describe_call(const struct look *look, unsigned at,
			  const struct callee *callee, enum match how,
			  struct ftsan_doing *out)
{
	char owner[64] = "", name[64] = "__call__";
	uintptr_t text;

	out->certain = how == EXACT;
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
	if (callee->def != 0 && (!ftsan_safe_ptr(callee->def + DEF_NAME, &text) ||
				 !ftsan_safe_string(name, sizeof(name), text)))
		name[0] = '\0';
	if (out->object != 0)
		(void)ftsan_type_name(look->of, type_of(look, out->object), out->type,
				      sizeof(out->type));
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

static bool is_builtin(const struct look *look, uintptr_t function)
{
	return ftsan_module_of(function) == ftsan_module_of(look->of->code_type);
}

static bool find_call(const struct look *look, bool innermost, struct ftsan_doing *out)
{
	const struct ftsan_operands *values = &look->operands;
	enum match best = NO_MATCH;
	struct callee chosen = {0};
	unsigned at = 0;

	for (unsigned i = 0; i < values->n; i++) {
		struct callee callee;
		enum match how;

		if (!callee_of(look, values->value[i], &callee))
			continue;
		/* What the interpreter called to get to an inner frame is no operation.
		 */
		if (!innermost && is_builtin(look, callee.function))
			continue;
		how = match(look, callee.function);
		if (how > best) {
			best = how;
			chosen = callee;
			at = i;
		}
	}
	if (best == NO_MATCH)
		return false;
	describe_call(look, at, &chosen, best, out);
	return true;
}

/* An instruction that calls no function by name: d[k] = v, next(i), o.attribute. */
static bool find_slot(const struct look *look, struct ftsan_doing *out)
{
	const struct ftsan_operands *values = &look->operands;
	unsigned n = values->n < SLOT_OPERANDS ? values->n : SLOT_OPERANDS;
	const char *name;

	if (!values->top_known)
		n = values->n;
	for (unsigned i = 0; i < n; i++) {
		uintptr_t type = type_of(look, values->value[i]);

		if (type == 0 || is_type(look, values->value[i]))
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

static uintptr_t function_start(uintptr_t pc)
{
	const struct ftsan_module *module = ftsan_module_of(pc);
	struct ftsan_function_table table;
	uintptr_t begin, end;

	return module != NULL &&
			       ftsan_function_table_find(&table, module->begin,
							 module->bias) &&
			       ftsan_function_range(&table, pc, &begin, &end)
		       ? begin
		       : 0;
}

static void find_starts(struct look *look)
{
	for (unsigned i = 0;
	     i < look->stack->n_native && look->n_starts < FTSAN_ARRAY_LEN(look->start);
	     i++) {
		uintptr_t at = function_start(look->stack->pc[i] - (i > 0));

		if (at != 0)
			look->start[look->n_starts++] = at;
	}
}

bool ftsan_doing(const struct ftsan_interpreter *interpreter, uintptr_t tstate,
		 const struct ftsan_stack *stack, struct ftsan_doing *out)
{
	struct look look = {.of = interpreter, .stack = stack};

	memset(out, 0, sizeof(*out));
	if (tstate == 0 || !interpreter->abi->known)
		return false;
	find_starts(&look);
	for (unsigned depth = 0; depth < FRAMES_LOOKED_AT; depth++) {
		if (!ftsan_pyoperands(interpreter->abi, tstate, interpreter->code_type,
				      depth, &look.operands))
			return false;
		if (find_call(&look, depth == 0, out) ||
		    (depth == 0 && find_slot(&look, out))) {
			out->builtin = is_builtin(&look, out->function);
			return true;
		}
	}
	return false;
}
