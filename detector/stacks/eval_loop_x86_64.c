#include "stacks/eval_loop.h"

#include <string.h>

#include "base/base.h"
#include "stacks/functions.h"

/* Of the largest loop we know (3.14, one function of all instructions): 90 KB. */
#define LOOP_MAX_BYTES (1u << 20)
#define PIECE_BYTES 512u
#define JUMP_BYTES 6u /* of the longest form, 0f 8x rel32 */
#define CANDIDATES 16u

/* struct candidate - a range that is jumped into, and how often */
struct candidate {
	uintptr_t begin, end;
	unsigned jumps;
};

static void count_jump(const struct ftsan_function_table *table, uintptr_t target,
		       struct candidate *candidates)
{
	struct candidate found = {.jumps = 1};

	for (unsigned i = 0; i < CANDIDATES; i++) {
		if (target > candidates[i].begin && target < candidates[i].end) {
			candidates[i].jumps++;
			return;
		}
	}
	/* A jump to the start of a function is a tail call. */
	if (!ftsan_function_range(table, target, &found.begin, &found.end) ||
	    target == found.begin)
		return;
	for (unsigned i = 0; i < CANDIDATES; i++) {
		if (candidates[i].jumps == 0) {
			candidates[i] = found;
			return;
		}
	}
}

/* jump_target() - of what may be a jmp rel32 or jcc rel32 at @pc; 0: neither. Bytes are
 * not decoded: chance hits scatter over the module, real ones agree. */
static uintptr_t jump_target(const unsigned char *code, uintptr_t pc)
{
	uintptr_t length = code[0] == 0xe9 ? 5 : 6;
	int32_t distance;

	if (code[0] != 0xe9 && (code[0] != 0x0f || (code[1] & 0xf0) != 0x80))
		return 0;
	memcpy(&distance, code + length - sizeof(distance), sizeof(distance));
	return pc + length + (uintptr_t)(intptr_t)distance;
}

static void count_jumps(const struct ftsan_function_table *table,
			const struct ftsan_eval_loop *loop, struct candidate *candidates)
{
	unsigned char code[PIECE_BYTES + JUMP_BYTES];

	for (uintptr_t at = loop->begin; at + JUMP_BYTES < loop->end; at += PIECE_BYTES) {
		uintptr_t left = loop->end - at;
		size_t size = left < sizeof(code) ? left : sizeof(code);

		if (ftsan_safe_read(code, (const void *)at, size) != 0)
			return;
		for (size_t i = 0; i < PIECE_BYTES && i + JUMP_BYTES <= size; i++) {
			uintptr_t target = jump_target(code + i, at + i);

			if (target != 0 && (target < loop->begin || target >= loop->end))
				count_jump(table, target, candidates);
		}
	}
}

bool ftsan_eval_loop_find(struct ftsan_eval_loop *loop, uintptr_t function,
			  uintptr_t image, uintptr_t bias)
{
	struct candidate candidates[CANDIDATES] = {0};
	const struct candidate *best = &candidates[0];
	struct ftsan_function_table table;

	memset(loop, 0, sizeof(*loop));
	if (!ftsan_function_table_find(&table, image, bias) ||
	    !ftsan_function_range(&table, function, &loop->begin, &loop->end) ||
	    loop->begin != function || loop->end - loop->begin > LOOP_MAX_BYTES) {
		memset(loop, 0, sizeof(*loop));
		return false;
	}
	count_jumps(&table, loop, candidates);
	for (unsigned i = 1; i < CANDIDATES; i++) {
		if (candidates[i].jumps > best->jumps)
			best = &candidates[i];
	}
	if (best->jumps > 1) {
		loop->cold_begin = best->begin;
		loop->cold_end = best->end;
	}
	return true;
}
