#include "rules/proof.h"

bool ftsan_rule_watch_proves(const struct ftsan_watch_insn *insn)
{
	return insn->form == FTSAN_FORM_PLAIN;
}

bool ftsan_rule_watch_store(const struct ftsan_watch_insn *insn, bool changed)
{
	if (insn->form == FTSAN_FORM_UNKNOWN)
		return changed;
	return ftsan_rule_watch_proves(insn);
}
