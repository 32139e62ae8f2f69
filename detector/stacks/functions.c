#include "stacks/functions.h"

#include <elf.h>
#include <string.h>

#include "base/base.h"
#include "stacks/modules.h"

/* The one layout that linkers write (LSB 5.0, 10.6.2): DW_EH_PE_udata4, and
 * DW_EH_PE_datarel | DW_EH_PE_sdata4 for the table. */
enum {
	ENCODING_COUNT = 0x03,
	ENCODING_TABLE = 0x3b,
};

struct header {
	uint8_t version, encoding_pointer, encoding_count, encoding_table;
	int32_t eh_frame;
	uint32_t count;
};

bool ftsan_function_table_find(struct ftsan_function_table *table, uintptr_t image,
			       uintptr_t bias)
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

static bool start_of(const struct ftsan_function_table *table, uint32_t index,
		     uintptr_t *start)
{
	int32_t offset;

	if (!ftsan_safe_i32(table->header + sizeof(struct header) + index * 8ul, &offset))
		return false;
	*start = table->header + (uintptr_t)(intptr_t)offset;
	return true;
}

bool ftsan_function_range(const struct ftsan_function_table *table, uintptr_t pc,
			  uintptr_t *begin, uintptr_t *end)
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

uintptr_t ftsan_function_start(uintptr_t pc)
{
	const struct ftsan_module *module = ftsan_module_of(pc);
	struct ftsan_function_table table;
	uintptr_t begin, end;

	return module != NULL &&
			       ftsan_function_table_find(&table, module->begin,
							 module->bias) &&
			       ftsan_function_range(&table, pc, &begin, &end)
		       ? begin
		       : 0;
}
