/*
 * A module that is slots and nothing else (PEP 793, CPython 3.15): it calls no function
 * of CPython's to be made, so the interpreter alone is seen to do it.
 */
#include <Python.h>

PyMODEXPORT_FUNC PyModExport_slots_only(void);

static PySlot slots[];

/* The array is the module's token, whatever is put in its place. */
static PyObject *is_token(PyObject *self, PyObject *unused)
{
	void *token;

	(void)unused;
	return PyModule_GetToken(self, &token) < 0 ? NULL
						   : PyBool_FromLong(token == slots);
}

static PyMethodDef methods[] = {
	{"is_token", is_token, METH_NOARGS, NULL},
	{NULL, NULL, 0, NULL},
};

static int execute(PyObject *module)
{
	return PyModule_AddIntConstant(module, "answer", 42);
}

PyABIInfo_VAR(abi_info);

static PySlot slots[] = {
	PySlot_DATA(Py_mod_abi, &abi_info),
	PySlot_STATIC_DATA(Py_mod_name, "slots_only"),
	PySlot_STATIC_DATA(Py_mod_methods, methods),
	PySlot_FUNC(Py_mod_exec, execute),
#ifdef NO_GIL
	PySlot_DATA(Py_mod_gil, Py_MOD_GIL_NOT_USED),
#endif
	PySlot_END,
};

PyMODEXPORT_FUNC PyModExport_slots_only(void)
{
	return slots;
}
