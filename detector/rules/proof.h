/*
 * What the hit of a watchpoint proves: a pure rule over the instruction that made it.
 *
 * A watchpoint lies about bytes. The processor compares it with the whole operand of an
 * instruction, so it fires for bytes that a masked vector store leaves alone (glibc's
 * memset ends with one), and for what a string function reads past the end of the string.
 * Neither is an access in the sense of C, and a report about one is false.
 *
 * For every engine that uses debug registers:
 *
 *     struct ftsan_watch_insn insn;
 *
 *     ftsan_decode_before(&insn, ucontext, word, length);    (decode/before.h)
 *     if (!ftsan_rule_watch_proves(&insn))
 *             the hit is no access, and is dropped (count it);
 *     insn.locked: the code synchronises the word by atomics; see ftsan_rule_race().
 */
#ifndef FTSAN_RULES_PROOF_H
#define FTSAN_RULES_PROOF_H

#include <stdbool.h>
#include <stdint.h>

/* How an instruction goes about the bytes of its memory operand. */
enum ftsan_watch_form {
	FTSAN_FORM_UNKNOWN,  /* not decoded, or nothing in it covers the word */
	FTSAN_FORM_PLAIN,    /* accesses every byte of its operand */
	FTSAN_FORM_MASKED,   /* may leave bytes alone: a mask, a state component */
	FTSAN_FORM_GATHERED, /* accesses some elements, somewhere */
	FTSAN_FORM_SEARCH,   /* a vector load that is searched: may read past the end */
};

/**
 * struct ftsan_watch_insn - the instruction that hit a watchpoint
 * @form:   MASKED, GATHERED and SEARCH win where it is not certain which instruction it
 *          was
 * @address: of the operand, 0 when unknown
 * @size:   its bytes, 0 when unknown
 * @reads, @writes: its operand; both false when unknown
 * @locked: it locks the bus
 */
struct ftsan_watch_insn {
	enum ftsan_watch_form form;
	uintptr_t address;
	uint32_t size;
	bool reads, writes;
	bool locked;
};

/* Does a watchpoint that this instruction hit prove an access to the watched bytes? */
bool ftsan_rule_watch_proves(const struct ftsan_watch_insn *insn);

/**
 * ftsan_rule_watch_store() - the same for a store to a watchpoint that loads don't hit
 * @changed: the word holds something else than at the thread's last look
 *
 * An instruction that is not known is believed then: a store that leaves the bytes alone
 * leaves the value alone, too.
 */
bool ftsan_rule_watch_store(const struct ftsan_watch_insn *insn, bool changed);

#endif
