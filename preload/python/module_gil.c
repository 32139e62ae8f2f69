#include "python/module_gil.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/annot.h"
#include "threads/gil.h"
#include "stacks/pyabi.h"
#include "runtime/runtime.h"

/*
 * struct PyModuleDef behind PyObject_HEAD (Include/moduleobject.h, 3.13.5): m_init,
 * m_index, m_copy, m_name, m_doc, m_size, m_methods, m_slots.
 */
enum { AFTER_NAME = 24, AFTER_SLOTS = 56 };

/*
 * struct PyModuleDef_Slot (Include/moduleobject.h, 3.13 to 3.15), and struct PySlot of
 * 3.15 (Include/slots.h): there the upper half of @kind holds flags, in the other it
 * is 0. Py_mod_gil has a second number in 3.15 (Include/slots_generated.h), which only
 * code of the limited API before 3.15 goes without.
 */
struct slot {
	unsigned kind;
	void *value;
};
#define SLOT_NUMBER(kind) ((kind)&0xffffu)
enum { MOD_GIL = 4, MOD_GIL_3_15 = 87 };
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

static bool declares(const struct slot *slot)
{
	for (; slot != NULL && SLOT_NUMBER(slot->kind) != 0; slot++)
		if (SLOT_NUMBER(slot->kind) == MOD_GIL ||
		    SLOT_NUMBER(slot->kind) == MOD_GIL_3_15)
			return slot->value == MOD_GIL_NOT_USED;
	return false;
}

void ftsan_module_defined(const void *definition)
{
	if (applies() && !declares(member(definition, AFTER_SLOTS)))
		ftsan_gil_note_request(member(definition, AFTER_NAME));
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
