#include "crash/callee.h"

#include <string.h>

#include "base/base.h"
#include "crash/type_slots.h"

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
};

static bool head(const struct ftsan_look *look, uintptr_t object, uint32_t offset,
		 uintptr_t *value)
{
	return ftsan_safe_ptr(object + look->of->abi->object_size + offset, value);
}

uintptr_t ftsan_look_type(const struct ftsan_look *look, uintptr_t object)
{
	return ftsan_object_type(look->of, object);
}

bool ftsan_look_is_type(const struct ftsan_look *look, uintptr_t object)
{
	uintptr_t type = ftsan_look_type(look, object);

	return type != 0 && (type == look->of->type_type ||
			     ftsan_look_type(look, type) != look->of->type_type);
}

static void take_def(uintptr_t def, struct ftsan_callee *out)
{
	out->def = def;
	if (!ftsan_safe_ptr(def + FTSAN_DEF_FUNCTION, &out->function))
		out->function = 0;
}

/* An object that is called by its type's tp_call, or by a pointer of its own. */
static void take_object(const struct ftsan_look *look, uintptr_t object, uintptr_t type,
			struct ftsan_callee *out)
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

bool ftsan_callee_of(const struct ftsan_look *look, uintptr_t object,
		     struct ftsan_callee *out)
{
	static const char *const functions[] = {
		"builtin_function_or_method", "builtin_method",
		"cython_function_or_method", "fused_cython_function"};
	static const char *const plain[] = {"function", "method-wrapper", "partial"};
	uintptr_t type = ftsan_look_type(look, object), def, bound;
	char name[64];

	*out = (struct ftsan_callee){0};
	if (type == 0 || !ftsan_type_name(look->of, type, name, sizeof(name)))
		return false;
	if (strcmp(name, "method") == 0) {
		if (!head(look, object, METHOD_SELF, &bound) ||
		    !head(look, object, METHOD_FUNCTION, &object) ||
		    (type = ftsan_look_type(look, object)) == 0 ||
		    !ftsan_type_name(look->of, type, name, sizeof(name)) ||
		    !FTSAN_STR_IS_ONE(name, functions) ||
		    !head(look, object, CFUNCTION_DEF, &def))
			return false;
		take_def(def, out);
		out->object = bound;
		out->owner = ftsan_look_type(look, bound);
	} else if (FTSAN_STR_IS_ONE(name, functions)) {
		if (!head(look, object, CFUNCTION_DEF, &def) ||
		    !head(look, object, CFUNCTION_SELF, &bound))
			return false;
		take_def(def, out);
		if (!head(look, object, CFUNCTION_MODULE, &out->module))
			out->module = 0;
		out->unbound = name[0] != 'b'; /* Cython's methods, not bound here */
		if (name[0] == 'b' && bound != 0 && !ftsan_look_is_type(look, bound)) {
			out->object = bound;
			out->owner = ftsan_look_type(look, bound);
		}
	} else if (strcmp(name, "method_descriptor") == 0) {
		if (!head(look, object, DESCR_DEF, &def) ||
		    !head(look, object, DESCR_TYPE, &out->owner))
			return false;
		take_def(def, out);
		out->unbound = true;
	} else if (ftsan_look_is_type(look, object)) {
		out->makes = object;
		if (!ftsan_type_slot(look->of, object, FTSAN_SLOT_INIT, &out->function) ||
		    ftsan_callee_match(look, out->function) != FTSAN_MATCH_EXACT)
			(void)ftsan_type_slot(look->of, object, FTSAN_SLOT_NEW,
					      &out->function);
	} else if (!FTSAN_STR_IS_ONE(name, plain)) {
		take_object(look, object, type, out);
	}
	return out->function != 0;
}

static bool runs_module(const struct ftsan_look *look, const struct ftsan_module *module)
{
	for (unsigned i = 0; i < look->stack->n_native; i++)
		if (ftsan_module_of(look->stack->pc[i] - (i > 0)) == module)
			return true;
	return false;
}

enum ftsan_match ftsan_callee_match(const struct ftsan_look *look, uintptr_t function)
{
	const struct ftsan_module *module;

	for (unsigned i = 0; i < look->n_starts; i++)
		if (look->start[i] == function)
			return FTSAN_MATCH_EXACT;
	/* Frames of ours are not shown, so a function that we stand in for is not met. */
	if (function - look->of->own_begin < look->of->own_end - look->of->own_begin)
		return FTSAN_MATCH_OWN;
	module = ftsan_module_of(function);
	/* The interpreter's own frames are on every stack. */
	if (module == NULL || module == ftsan_module_of(look->of->code_type))
		return FTSAN_NO_MATCH;
	/* A function that ends with a jump to another one has left the stack. */
	return runs_module(look, module) ? FTSAN_MATCH_MODULE : FTSAN_NO_MATCH;
}

bool ftsan_look_is_builtin(const struct ftsan_look *look, uintptr_t function)
{
	return ftsan_module_of(function) == ftsan_module_of(look->of->code_type);
}

void ftsan_look_starts(struct ftsan_look *look)
{
	for (unsigned i = 0;
	     i < look->stack->n_native && look->n_starts < FTSAN_ARRAY_LEN(look->start);
	     i++) {
		uintptr_t at = ftsan_function_start(look->stack->pc[i] - (i > 0));

		if (at != 0)
			look->start[look->n_starts++] = at;
	}
}
