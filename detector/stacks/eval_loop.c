#include "stacks/eval_loop.h"

#include <elf.h>
#include <string.h>

#include "base/safe_read.h"

/* The one layout that linkers write (LSB 5.0, 10.6.2): DW_EH_PE_udata4, and
 * DW_EH_PE_datarel | DW_EH_PE_sdata4 for the table. */
enum {
	ENCODING_COUNT = 0x03,
	ENCODING_TABLE = 0x3b,
};

/* Of the largest loop we know (3.14, one function of all instructions): 90 KB. */
#define LOOP_MAX_BYTES (1u << 20)
#define PIECE_BYTES 512u
#define JUMP_BYTES 6u /* of the longest form, 0f 8x rel32 */
#define CANDIDATES 16u

struct header {
	uint8_t version, encoding_pointer, encoding_count, encoding_table;
	int32_t eh_frame;
	uint32_t count;
};

/* struct table - the sorted starts of all functions; offsets count from the header */
struct table {
	uintptr_t header;
	uint32_t count;
};

/* struct candidate - a range that is jumped into, and how often */
struct candidate {
	uintptr_t begin, end;
	unsigned jumps;
};

static bool find_table(struct table *table, uintptr_t image, uintptr_t bias)
{
	Elf64_Ehdr elf;
	Elf64_Phdr segment;
	struct header header;

	if (ftsan_safe_read(&elf, (const void *)image, sizeof(elf)) != 0 ||
	    memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0)
		return false;
	for (unsigned i = 0; i < elf.e_phnum; i++) {
		if (ftsan_safe_read(
			    &segment,
			    (const void *)(image + elf.e_phoff + i * sizeof(segment)),
			    sizeof(segment)) != 0)
			return false;
		if (segment.p_type != PT_GNU_EH_FRAME)
			continue;
		table->header = bias + segment.p_vaddr;
		if (ftsan_safe_read(&header, (const void *)table->header,
				    sizeof(header)) != 0)
			return false;
		table->count = header.count;
		return header.version == 1 && header.encoding_count == ENCODING_COUNT &&
		       header.encoding_table == ENCODING_TABLE && header.count > 0;
	}
	return false;
}

static bool start_of(const struct table *table, uint32_t index, uintptr_t *start)
{
	int32_t offset;

	if (!ftsan_safe_i32(table->header + sizeof(struct header) + index * 8ul, &offset))
		return false;
	*start = table->header + (uintptr_t)(intptr_t)offset;
	return true;
}

/* find_range() - the function, or part of one, that holds @pc: up to the next one */
static bool find_range(const struct table *table, uintptr_t pc, uintptr_t *begin,
		       uintptr_t *end)
{
	uint32_t low = 0, high = table->count;
	uintptr_t start;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (!start_of(table, middle, &start))
			return false;
		if (start <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && low < table->count && start_of(table, low - 1, begin) &&
	       start_of(table, low, end);
}

static void count_jump(const struct table *table, uintptr_t target,
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
	if (!find_range(table, target, &found.begin, &found.end) || target == found.begin)
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

static void count_jumps(const struct table *table, const struct ftsan_eval_loop *loop,
			struct candidate *candidates)
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
	struct table table;

	memset(loop, 0, sizeof(*loop));
	if (!find_table(&table, image, bias) ||
	    !find_range(&table, function, &loop->begin, &loop->end) ||
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
