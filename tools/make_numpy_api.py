#!/usr/bin/env python3
"""Writes preload/numpy_api.def: which functions of NumPy's C API are given arrays.

usage: make_numpy_api.py HEADER... > preload/numpy_api.def

HEADER is a numpy/_core/include/numpy/__multiarray_api.h (it is generated when NumPy is
built, and in every wheel). With several, of different releases, a function has to have
the same index and the same parameters in all that know it: then the table that a module
gets from another release in between has it, too.
"""

import re
import sys

ENTRY = re.compile(r"#define (\w+) \\\s*\(\*\(([^;]*?)\)\s*\\\s*PyArray_API\[(\d+)\]\)")
FUNCTION = re.compile(r"(?P<result>.*?)\s*\(\*\)\s*\((?P<parameters>.*)\)")
OBJECT = re.compile(r"(PyArrayObject|PyObject)\s*\*")
VECTOR = re.compile(r"PyArrayObject\s*(\*\*|\*arrs\[\])")

# What is documented to change the metadata of its first argument
# (https://numpy.org/doc/stable/reference/c-api/array.html).
MUTATORS = {
    "PyArray_Resize", "PyArray_UpdateFlags", "PyArray_SetBaseObject",
    "PyArray_RemoveAxesInPlace", "PyArray_SetUpdateIfCopyBase",
    "PyArray_SetWritebackIfCopyBase", "PyArray_ResolveWritebackIfCopy",
}

# Whose first argument's data they write. A PyArrayObject * that is not the first
# argument is where the result goes, but for SECOND_INPUTS.
WRITERS = {
    "PyArray_CopyInto", "PyArray_CopyAnyInto", "PyArray_CopyObject", "PyArray_PutTo",
    "PyArray_PutMask", "PyArray_Sort", "PyArray_Partition", "PyArray_FillWithScalar",
    "PyArray_SetField",
}
SECOND_INPUTS = {
    "PyArray_CopyInto", "PyArray_CopyAnyInto", "PyArray_Partition",
    "PyArray_ArgPartition",
}
# The reference to the second argument is taken over.
STEALING_BASE = {
    "PyArray_SetBaseObject", "PyArray_SetUpdateIfCopyBase",
    "PyArray_SetWritebackIfCopyBase",
}

# A vector of arrays that comes right behind its length.
COUNTED = {"NpyIter_MultiNew", "NpyIter_AdvancedNew", "PyArray_ResultType",
           "PyArray_EinsteinSum"}

# What of its operands an iterator is to write to, its flags say: any, perhaps.
ITERATORS = {"NpyIter_New", "NpyIter_MultiNew", "NpyIter_AdvancedNew"}

# Which parameter can ask for NPY_ARRAY_WRITEBACKIFCOPY, so that the first one is written
# to.
REQUIREMENTS = {"PyArray_FromAny": 4, "PyArray_CheckFromAny": 4, "PyArray_FromArray": 2}

LEFT_OUT = {
    # They take over the reference to the array, which may be gone when they return
    # (StealRef in numpy/_core/code_generators/numpy_api.py).
    "PyArray_Return", "PyArray_EnsureArray", "PyArray_EnsureAnyArray",
    # The array only lends its type and its attributes to a new one.
    "PyArray_New", "PyArray_NewFromDescr",
    # One word of the header or of the data, called for each element.
    "PyArray_Size", "PyArray_GetPtr", "PyArray_Zero", "PyArray_One",
    "PyArray_ElementStrides", "PyArray_FailUnlessWriteable", "PyArray_INCREF",
    "PyArray_XDECREF", "PyArray_CheckAnyScalarExact", "PyArray_Item_INCREF",
    # Of scalars, names, numbers and types.
    "PyArray_Pack", "PyArray_ConvertClipmodeSequence",
    "PyArray_PyIntAsInt", "PyArray_PyIntAsIntp", "PyArray_Scalar", "PyArray_FromScalar",
    "PyArray_ScalarAsCtype", "PyArray_CastScalarToCtype", "PyArray_CastScalarDirect",
    "PyArray_DescrFromScalar", "PyArray_DescrFromTypeObject", "PyArray_ArangeObj",
    "PyArray_SetStringFunction", "PyArray_Free", "PyArray_AsCArray",
    "PyArray_DebugPrint", "PyDataMem_SetHandler",
    "NpyDatetime_ConvertPyDateTimeToDatetimeStruct",
}
CONVERTERS_OF_ARRAYS = {"PyArray_Converter", "PyArray_OutputConverter"}


def left_out(name, result, parameters):
    if name in LEFT_OUT or "double" in result or "..." in parameters:
        return True
    if "double" in parameters or name.startswith("NpyString_"):
        return True
    return "Converter" in name and name not in CONVERTERS_OF_ARRAYS


def bits(positions):
    return sum(1 << position for position in positions)


def row(name, result, parameters):
    """The columns behind index and name, or None."""
    if left_out(name, result, parameters):
        return None
    objects = [n for n, text in enumerate(parameters) if OBJECT.fullmatch(text)]
    arrays = [n for n in objects if "PyArrayObject" in parameters[n]]
    outputs = [0] if name in WRITERS | MUTATORS | ITERATORS else []
    if name not in SECOND_INPUTS:
        outputs += [n for n in arrays if n > 0]
    if name in STEALING_BASE:
        objects, outputs = [0], [0]
    convention = "OBJECTS"
    if name in COUNTED:
        convention = "COUNTED"
        vector, = (n for n, text in enumerate(parameters) if VECTOR.fullmatch(text))
        objects.append(vector - 1)
        outputs += [vector] if name in ITERATORS else []
    if not objects:
        return None
    return (convention, len(parameters), hex(bits(objects)), hex(bits(outputs)),
            REQUIREMENTS.get(name, 0), str(name in MUTATORS).lower())


def read(path):
    with open(path, encoding="utf-8") as header:
        text = header.read()
    table = {}
    for name, pointer, index in ENTRY.findall(text):
        function = FUNCTION.fullmatch(" ".join(pointer.split()))
        if function is None:
            continue  # a type or a number
        parameters = [p.strip() for p in function["parameters"].split(",")]
        table[name] = (int(index), function["result"], parameters)
    if len(table) < 200:
        sys.exit(f"{path}: only {len(table)} functions: not the header that this reads")
    return table


def main():
    merged = {}
    for path in sys.argv[1:]:
        for name, entry in read(path).items():
            if merged.setdefault(name, entry) != entry:
                sys.exit(f"{path}: {name} is {entry}, elsewhere {merged[name]}")
    if not merged:
        sys.exit(__doc__)
    print("""\
/*
 * The functions of NumPy's C API (PyArray_API) that are given arrays, made by
 * tools/make_numpy_api.py from the headers of NumPy 2.2.1 and 2.4.6.
 * FTSAN_API(index, name, convention, number of arguments, which of them are objects,
 *           which are written to, which can ask for NPY_ARRAY_WRITEBACKIFCOPY,
 *           changes the metadata of the first one)
 */""")
    for name, entry in sorted(merged.items(), key=lambda item: item[1]):
        index, result, parameters = entry
        columns = row(name, result, parameters)
        if columns:
            print(f"FTSAN_API({index}, {name}, {', '.join(map(str, columns))})")


if __name__ == "__main__":
    main()
