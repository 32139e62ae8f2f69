/* An access that is held, and the one that it met. Data only; private to the room. */
#ifndef FTSAN_SAMPLER_HELD_H
#define FTSAN_SAMPLER_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "decode/decode.h"
#include "rules/rules.h"
#include "stacks/stacks.h"

/**
 * struct ftsan_sample_party - one thread's part
 * @index: of its record
 * @side:  for the rules
 * @site: where the instruction begins; 0: it is no site
 * @stored: the access is a store, and done
 * @stack: of the access
 */
struct ftsan_sample_party {
	int tid;
	uint32_t index;
	struct ftsan_access access;
	struct ftsan_sampled_side side;
	uintptr_t site;
	bool stored;
	struct ftsan_stack stack;
};

/**
 * struct ftsan_hold - a held access, and who came
 * @word, @length: what is watched: a part of the access, aligned
 * @held:  the thread that is held; its stack is captured when somebody has come
 * @other: who came
 * @around, @around_end: the object or block that it is in; empty where it is in none
 * @before, @after: value of the word
 * @whole: what all of the access held before, if it is longer than the word and
 * @whole_known
 * @kept:  it is that still, and the other thread has made its access
 * @passed: how many stores of the value that was there were let pass
 * @followed: how many steps loops have made towards it
 * @met:   somebody came
 * @alone: nobody did, nor can any more
 */
struct ftsan_hold {
	uintptr_t word;
	uint8_t length;
	uintptr_t around, around_end;
	struct ftsan_sample_party held;
	struct ftsan_sample_party other;
	uint64_t before, after;
	unsigned char whole[FTSAN_OPERAND_MAX];
	bool whole_known, kept;
	_Atomic uint32_t passed, followed;
	bool met, alone;
};

#endif
