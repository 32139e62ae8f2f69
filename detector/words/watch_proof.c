#include "words/watch_proof.h"

#include "base/base.h"
#include "decode/decode.h"
#include "rules/rules.h"

static bool accesses(const struct ftsan_watchpoint *point,
		     const struct ftsan_watch_insn *insn)
{
	uint64_t now;

	if (point->reads)
		return ftsan_rule_watch_proves(insn);
	return ftsan_rule_watch_store(insn, ftsan_watch_read(point, &now) &&
						    now != point->value);
}

bool ftsan_watch_proven(struct ftsan_watchpoint *point, const void *ucontext)
{
	struct ftsan_watch_insn insn;

	ftsan_decode_before(&insn, ucontext, point->address, point->length);
	if (ftsan_rule_watch_proves(&insn))
		point->did = insn.writes ? FTSAN_DID_STORE : FTSAN_DID_LOAD;
	if (!insn.locked && accesses(point, &insn))
		return true;
	ftsan_count(watch_unproven);
	return false;
}
