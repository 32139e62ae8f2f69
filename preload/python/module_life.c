#include "python/module_life.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "base/base.h"
#include "elf/elf.h"
#include "hooks/hooks.h"
#include "python/module_slots.h"
#include "python/module_stubs.h"
#include "stacks/stacks.h"

/* What a stub stands for; constant once @function is there. */
struct entry {
	_Atomic uintptr_t function;
	uintptr_t object;
	const char *name;
	enum ftsan_stage_kind kind;
	bool exports; /* INIT that returns slots */
	bool last;
};

static struct entry entries[FTSAN_MODULE_STUBS];
static _Atomic unsigned n_entries;

static const struct ftsan_module_listener *const nobody[] = {NULL};
static const struct ftsan_module_listener *const *listeners = nobody;

void ftsan_module_life_listen(const struct ftsan_module_listener *const *all)
{
	listeners = all;
}

/* struct stage - @follow: there are slots that create or execute the module */
struct stage {
	struct ftsan_module_stage seen;
	bool follow;
};

static FTSAN_TLS struct stage *current;

static bool is_stub(const void *function)
{
	uintptr_t first = (uintptr_t)ftsan_module_stubs;

	return (uintptr_t)function - first <
	       (uintptr_t)FTSAN_MODULE_STUBS * FTSAN_MODULE_STUB_BYTES;
}

static void *stub(unsigned number)
{
	return (void *)(ftsan_module_stubs + (size_t)number * FTSAN_MODULE_STUB_BYTES);
}

static bool is_same(struct entry *there, const struct entry *entry, uintptr_t function)
{
	return atomic_load_explicit(&there->function, memory_order_acquire) == function &&
	       there->object == entry->object && there->kind == entry->kind &&
	       there->last == entry->last;
}

/*
 * One function has one stub: the interpreter keeps it, and compares. Two threads that
 * import the same module hold its import lock in turn.
 */
static void *stub_for(void *to, const struct entry *entry)
{
	uintptr_t function = (uintptr_t)to;
	unsigned n = atomic_load_explicit(&n_entries, memory_order_acquire);

	for (unsigned i = 0; i < n && i < FTSAN_MODULE_STUBS; i++)
		if (is_same(&entries[i], entry, function))
			return stub(i);
	n = n < FTSAN_MODULE_STUBS ? atomic_fetch_add(&n_entries, 1) : n;
	if (n >= FTSAN_MODULE_STUBS)
		return to;
	entries[n].object = entry->object;
	entries[n].name = entry->name;
	entries[n].kind = entry->kind;
	entries[n].exports = entry->exports;
	entries[n].last = entry->last;
	atomic_store_explicit(&entries[n].function, function, memory_order_release);
	return stub(n);
}

/* --- slots ------------------------------------------------------------------------- */

/* The module whose slots are copied, and how many functions are left to come. */
struct replacing {
	uintptr_t object;
	const char *name;
	unsigned left;
};

static void replace(struct ftsan_modslot *slot, enum ftsan_modslot_kind kind,
		    void *argument)
{
	struct replacing *module = argument;
	struct entry entry = {
		.object = module->object,
		.name = module->name,
		.kind = kind == FTSAN_MODSLOT_EXEC ? FTSAN_STAGE_EXEC
						   : FTSAN_STAGE_CREATE,
	};

	if (kind == FTSAN_MODSLOT_EXEC)
		module->left--;
	entry.last = module->left == 0;
	slot->value = stub_for(slot->value, &entry);
}

static bool are_replaced(const struct ftsan_modslot *slots)
{
	void *value;

	return (ftsan_modslots_find(slots, FTSAN_MODSLOT_EXEC, &value) &&
		is_stub(value)) ||
	       (ftsan_modslots_find(slots, FTSAN_MODSLOT_CREATE, &value) &&
		is_stub(value));
}

static unsigned functions_in(const struct ftsan_modslot *slots)
{
	return ftsan_modslots_count(slots, FTSAN_MODSLOT_EXEC) +
	       ftsan_modslots_count(slots, FTSAN_MODSLOT_CREATE);
}

/* @object: an address in the module's file; @first as in ftsan_modslots_copy(). */
static struct ftsan_modslot *with_stubs(const struct ftsan_modslot *slots,
					const struct ftsan_modslot *first,
					uintptr_t object, const char *name)
{
	struct replacing module = {
		.object = object,
		.name = name,
		.left = ftsan_modslots_count(slots, FTSAN_MODSLOT_EXEC),
	};

	return ftsan_modslots_copy(slots, first, replace, &module);
}

void ftsan_module_life_defined(const void *definition, struct ftsan_modslot **slots)
{
	struct ftsan_modslot *copy;

	if (!ftsan_preload_active() || slots == NULL || functions_in(*slots) == 0)
		return;
	if (current != NULL)
		current->follow = true;
	if (are_replaced(*slots))
		return;
	/* Without a stage it is a module of a program that embeds the interpreter. */
	copy = with_stubs(*slots, NULL,
			  current != NULL ? current->seen.object : (uintptr_t)definition,
			  current != NULL ? current->seen.name : "");
	if (copy != NULL)
		*slots = copy;
}

/*
 * The array of PyModExport_x() is the module's token, unless a slot says otherwise: so
 * its copy says it. Where a slot creates the module, the interpreter wants no such word
 * for what need not be a module, and the array stays as it is.
 */
static void *exported(struct stage *stage, void *slots)
{
	const struct ftsan_modslot token = {
		.number = 110, .flags = 4 /* PySlot_INTPTR */, .value = slots};
	struct ftsan_modslot *copy;
	void *value;
	bool named;

	if (slots == NULL || functions_in(slots) == 0)
		return slots;
	named = ftsan_modslots_find(slots, FTSAN_MODSLOT_TOKEN, &value);
	if (!named && ftsan_modslots_find(slots, FTSAN_MODSLOT_CREATE, &value))
		return slots;
	stage->follow = true;
	copy = with_stubs(slots, named ? NULL : &token, stage->seen.object,
			  stage->seen.name);
	return copy != NULL ? copy : slots;
}

/* --- stages ------------------------------------------------------------------------ */

static void tell_begin(const struct ftsan_module_stage *stage)
{
	for (const struct ftsan_module_listener *const *it = listeners; *it != NULL; it++)
		if ((*it)->begin != NULL)
			(*it)->begin(stage);
}

static void tell_end(const struct ftsan_module_stage *stage)
{
	for (const struct ftsan_module_listener *const *it = listeners; *it != NULL; it++)
		if ((*it)->end != NULL)
			(*it)->end(stage);
}

static void *call(struct entry *entry, void *a, void *b)
{
	uintptr_t function = atomic_load_explicit(&entry->function, memory_order_acquire);

	return ((void *(*)(void *, void *))function)(a, b);
}

/* Of whatever name. */
static void note_import(const struct entry *entry)
{
	struct ftsan_module *module = ftsan_module_of(entry->object);

	if (module != NULL && entry->kind == FTSAN_STAGE_INIT)
		atomic_store_explicit(&module->imported, true, memory_order_relaxed);
}

/* An exec slot returns an int, the others a pointer. */
static bool is_failure(const struct entry *entry, const void *result)
{
	return entry->kind == FTSAN_STAGE_EXEC ? (int)(intptr_t)result != 0
					       : result == NULL;
}

void *ftsan_module_enter(void *a, void *b, unsigned number)
{
	struct entry *entry = &entries[number];
	struct stage stage = {.seen = {.kind = entry->kind,
				       .name = entry->name,
				       .object = entry->object,
				       .outer = current != NULL ? &current->seen : NULL}};
	struct stage *outer = current;
	void *result;

	if (!ftsan_preload_active())
		return call(entry, a, b);
	note_import(entry);
	current = &stage;
	tell_begin(&stage.seen);
	result = call(entry, a, b);
	stage.seen.failed = is_failure(entry, result);
	if (entry->exports) {
		stage.seen.slots = result;
		result = exported(&stage, result);
	}
	stage.seen.last = entry->kind == FTSAN_STAGE_INIT ? !stage.follow : entry->last;
	if (stage.seen.last && !stage.seen.failed)
		ftsan_count(modules_initialised);
	tell_end(&stage.seen);
	current = outer;
	return result;
}

const struct ftsan_module_stage *ftsan_module_stage(void)
{
	return current != NULL ? &current->seen : NULL;
}

/* --- the look-up ------------------------------------------------------------------- */

/* Include/internal/pycore_importdl.h of 3.15; those with U are for other alphabets. */
static const struct {
	const char *text;
	bool exports;
} prefixes[] = {
	{"PyInit_", false},
	{"PyInitU_", false},
	{"PyModExport_", true},
	{"PyModExportU_", true},
};

static void *answer(void *function, const char *name)
{
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(prefixes); i++) {
		size_t length = strlen(prefixes[i].text);
		struct entry entry = {
			.object = (uintptr_t)function,
			.kind = FTSAN_STAGE_INIT,
			.exports = prefixes[i].exports,
		};

		if (strncmp(name, prefixes[i].text, length) != 0)
			continue;
		/* Kept for good, as its module is. */
		entry.name = strdup(name + length);
		return entry.name != NULL ? stub_for(function, &entry) : function;
	}
	return function;
}

/* The interpreter asks a library it has opened: its own place in the order of look-ups
 * (RTLD_NEXT) plays no part. */
static void *interpreters_dlsym(void *handle, const char *name)
{
	void *function = dlsym(handle, name);

	return function != NULL && ftsan_preload_active() ? answer(function, name)
							  : function;
}

void ftsan_module_life_start(const void *py_runtime)
{
	const struct ftsan_got_hook hook = {
		.name = "dlsym",
		.original = (uintptr_t)dlsym,
		.replacement = (uintptr_t)interpreters_dlsym,
	};

	(void)ftsan_got_redirect(py_runtime, &hook);
}

void ftsan_module_life_stop(const void *py_runtime)
{
	const struct ftsan_got_hook hook = {
		.name = "dlsym",
		.original = (uintptr_t)interpreters_dlsym,
		.replacement = (uintptr_t)dlsym,
	};

	(void)ftsan_got_redirect(py_runtime, &hook);
}
