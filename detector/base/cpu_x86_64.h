/* base/cpu.h on x86-64; included by that and by nothing else. */
#ifndef FTSAN_BASE_CPU_X86_64_H
#define FTSAN_BASE_CPU_X86_64_H

/* Of <elf.h>: e_machine, and the relocations of a call's and a variable's import slot. */
#define FTSAN_ELF_MACHINE EM_X86_64
#define FTSAN_ELF_JUMP_SLOT R_X86_64_JUMP_SLOT
#define FTSAN_ELF_GLOB_DAT R_X86_64_GLOB_DAT

/* int3: one byte, so that another thread never runs half of it (Intel SDM volume
 * 3, 8.1.3).
 */
#define FTSAN_CPU_BREAKPOINT 0xcc

/* What four-level page tables leave a process; the kernel keeps the last page of it
 * unmapped (TASK_SIZE of arch/x86/include/asm/page_64_types.h). */
#define FTSAN_CPU_USER_END UINT64_C(0x7ffffffff000)

/* The upper bits of an address repeat the last one that counts: whatever else is none. */
static inline bool ftsan_cpu_is_canonical(uintptr_t address)
{
	return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

/* Its name for people, and Debian's name of the directory of its libraries. */
#define FTSAN_CPU_NAME "x86-64"
#define FTSAN_CPU_TRIPLE "x86_64-linux-gnu"
/* What names begin with in a libunwind for it that unwinds its own process only. */
#define FTSAN_UNWIND "_ULx86_64_"

static inline uint64_t ftsan_cpu_ticks(void)
{
	return __builtin_ia32_rdtsc();
}

static inline void ftsan_cpu_relax(void)
{
	__builtin_ia32_pause();
}

#endif
