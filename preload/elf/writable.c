#include "elf/writable.h"

#include <link.h>
#include <stdint.h>

#include "base/base.h"

struct question {
	uintptr_t begin, end;
	bool writable;
};

static bool holds(const struct dl_phdr_info *info, const Elf64_Phdr *ph,
		  const struct question *question)
{
	uintptr_t begin = info->dlpi_addr + ph->p_vaddr;

	return question->begin >= begin && question->end <= begin + ph->p_memsz;
}

/* As glibc's _dl_protect_relro() has it: both ends rounded down. */
static bool is_sealed(const struct dl_phdr_info *info, const Elf64_Phdr *ph,
		      const struct question *question)
{
	uintptr_t begin = (info->dlpi_addr + ph->p_vaddr) & ~(FTSAN_PAGE - 1);
	uintptr_t end = (info->dlpi_addr + ph->p_vaddr + ph->p_memsz) & ~(FTSAN_PAGE - 1);

	return question->begin < end && question->end > begin;
}

static int look(struct dl_phdr_info *info, size_t size, void *argument)
{
	struct question *question = argument;
	bool found = false, sealed = false;

	(void)size;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const Elf64_Phdr *ph = &info->dlpi_phdr[i];

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_W))
			found = found || holds(info, ph, question);
		if (ph->p_type == PT_GNU_RELRO)
			sealed = sealed || is_sealed(info, ph, question);
	}
	question->writable = found && !sealed;
	return found;
}

bool ftsan_writable(const void *address, size_t size_bytes)
{
	struct question question = {
		.begin = (uintptr_t)address,
		.end = (uintptr_t)address + size_bytes,
	};

	dl_iterate_phdr(look, &question);
	return question.writable;
}
