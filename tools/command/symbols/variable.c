#include "symbols/variable.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "common/common.h"

enum { DEPTH = 8 };

/* --- types ------------------------------------------------------------------------ */

static bool type_of(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute attribute;

	return dwarf_attr_integrate(die, DW_AT_type, &attribute) != NULL &&
	       dwarf_formref_die(&attribute, type) != NULL &&
	       dwarf_peel_type(type, type) == 0;
}

static bool word_of(Dwarf_Die *die, unsigned name, Dwarf_Word *value)
{
	Dwarf_Attribute attribute;

	return dwarf_attr(die, name, &attribute) != NULL &&
	       dwarf_formudata(&attribute, value) == 0;
}

/* The member of a struct at @into, which becomes the place in the member. */
static bool member_at(Dwarf_Die *structure, Dwarf_Word *into, Dwarf_Die *member)
{
	Dwarf_Die child, type;
	Dwarf_Word begin, size;

	if (dwarf_child(structure, &child) != 0)
		return false;
	do {
		if (dwarf_tag(&child) != DW_TAG_member ||
		    !word_of(&child, DW_AT_data_member_location, &begin) ||
		    !type_of(&child, &type) || dwarf_aggregate_size(&type, &size) != 0 ||
		    *into < begin || *into - begin >= size)
			continue;
		*member = child;
		*into -= begin;
		return true;
	} while (dwarf_siblingof(&child, &child) == 0);
	return false;
}

static char *longer(char *text, const char *more, Dwarf_Word index, bool array)
{
	char *both = array ? ftsan_xprintf("%s[%llu]", text, (unsigned long long)index)
			   : ftsan_xprintf("%s.%s", text, more);

	free(text);
	return both;
}

/* Where in a value of the type the byte @into is; malloc'ed. */
static char *part_of(Dwarf_Die *type, Dwarf_Word into)
{
	char *text = ftsan_xstrdup("");

	for (int depth = 0; depth < DEPTH; depth++) {
		Dwarf_Die inner, member;
		Dwarf_Word size;
		int tag = dwarf_tag(type);

		if (tag == DW_TAG_array_type) {
			if (!type_of(type, &inner) ||
			    dwarf_aggregate_size(&inner, &size) != 0 || size == 0)
				return text;
			text = longer(text, NULL, into / size, true);
			into %= size;
		} else if (tag == DW_TAG_structure_type || tag == DW_TAG_class_type) {
			if (!member_at(type, &into, &member) || !type_of(&member, &inner))
				return text;
			if (dwarf_diename(&member) != NULL)
				text = longer(text, dwarf_diename(&member), 0, false);
		} else {
			return text;
		}
		*type = inner;
	}
	return text;
}

/* --- variables -------------------------------------------------------------------- */

static bool is_at(Dwarf_Die *variable, Dwarf_Addr address)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *op;
	size_t n;

	return dwarf_attr_integrate(variable, DW_AT_location, &attribute) != NULL &&
	       dwarf_getlocation(&attribute, &op, &n) == 0 && n == 1 &&
	       op[0].atom == DW_OP_addr && op[0].number == address;
}

/* Functions are most of a file's information, and are looked through for locals only. */
static bool is_scope(int tag, bool local)
{
	return tag == DW_TAG_namespace ||
	       (local && (tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block));
}

static bool find_in(Dwarf_Die *scope, Dwarf_Addr address, Dwarf_Die *found, bool local,
		    int depth)
{
	Dwarf_Die child;

	if (depth == 0 || dwarf_child(scope, &child) != 0)
		return false;
	do {
		int tag = dwarf_tag(&child);

		if (tag == DW_TAG_variable && is_at(&child, address)) {
			*found = child;
			return true;
		}
		if (is_scope(tag, local) &&
		    find_in(&child, address, found, local, depth - 1))
			return true;
	} while (dwarf_siblingof(&child, &child) == 0);
	return false;
}

/* "cache.12" is a local of C's, which LTO makes of globals, too; C++ has a mangling. */
static bool may_be_local(const char *name)
{
	return strchr(name, '.') != NULL || strncmp(name, "_ZZ", 3) == 0;
}

static char *find_part(Dwfl_Module *handle, const char *name, GElf_Addr address,
		       GElf_Addr into)
{
	Dwarf_Die *unit = NULL, variable, type;
	Dwarf_Addr bias = 0;

	while ((unit = dwfl_module_nextcu(handle, unit, &bias)) != NULL)
		if (find_in(unit, address - bias, &variable, may_be_local(name), DEPTH))
			return type_of(&variable, &type) ? part_of(&type, into) : NULL;
	return NULL;
}

bool ftsan_variable_find(struct ftsan_variable *variable, Dwfl_Module *handle,
			 GElf_Addr address)
{
	GElf_Off into;
	GElf_Sym symbol;
	const char *name =
		dwfl_module_addrinfo(handle, address, &into, &symbol, NULL, NULL, NULL);

	/* libdwfl takes the one before for want of a better one. */
	if (name == NULL || name[0] == '\0' || into >= symbol.st_size)
		return false;
	variable->name = name;
	variable->into = into;
	variable->part = symbol.st_size > sizeof(GElf_Addr)
				 ? find_part(handle, name, address - into, into)
				 : NULL;
	if (variable->part == NULL)
		variable->part = ftsan_xstrdup("");
	return true;
}

void ftsan_variable_release(struct ftsan_variable *variable)
{
	free(variable->part);
	variable->part = NULL;
}
