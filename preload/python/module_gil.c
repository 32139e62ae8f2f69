#include "python/module_gil.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/base.h"
#include "python/module_slots.h"
#include "runtime/runtime.h"
#include "stacks/stacks.h"
#include "threads/threads.h"

/*
 * struct PyModuleDef behind PyObject_HEAD (Include/moduleobject.h, 3.13.5): m_init,
 * m_index, m_copy, m_name, m_doc, m_size, m_methods, m_slots.
 */
enum { AFTER_NAME = 24, AFTER_SLOTS = 56 };

#define MOD_GIL_NOT_USED ((void *)1)

/* Slot numbers are known for these. */
enum { FIRST_MINOR = 13, LAST_MINOR = 15 };

/* The single-phase module that this thread is making. */
static FTSAN_TLS const char *making;

static bool applies(void)
{
	const struct ftsan_pyabi *abi = ftsan_runtime_abi();
	uint32_t minor = abi->version >> 16 & 0xff;

	return abi->free_threaded && minor >= FIRST_MINOR && minor <= LAST_MINOR;
}

static void *member(const void *definition, size_t behind_head)
{
	void *value;

	memcpy(&value,
	       (const char *)definition + ftsan_runtime_abi()->object_size + behind_head,
	       sizeof(value));
	return value;
}

struct ftsan_modslot **ftsan_module_slots(void *definition)
{
	const struct ftsan_pyabi *abi = ftsan_runtime_abi();

	if (!abi->known || definition == NULL)
		return NULL;
	return (struct ftsan_modslot **)((char *)definition + abi->object_size +
					 AFTER_SLOTS);
}

static bool declares(const struct ftsan_modslot *slots)
{
	void *value;

	return ftsan_modslots_find(slots, FTSAN_MODSLOT_GIL, &value) &&
	       value == MOD_GIL_NOT_USED;
}

void ftsan_module_defined(const void *definition)
{
	if (applies() && !declares(member(definition, AFTER_SLOTS)))
		ftsan_gil_note_request(member(definition, AFTER_NAME));
}

void ftsan_module_exported(const char *name, const struct ftsan_modslot *slots)
{
	if (applies() && !declares(slots))
		ftsan_gil_note_request(name);
}

void ftsan_module_created(const void *definition)
{
	if (!applies())
		return;
	making = member(definition, AFTER_NAME);
	ftsan_gil_note_request(making);
}

void ftsan_module_declares_gil(const void *gil)
{
	if (!applies() || making == NULL)
		return;
	if (gil == MOD_GIL_NOT_USED)
		ftsan_gil_withdraw(making);
	making = NULL;
}
