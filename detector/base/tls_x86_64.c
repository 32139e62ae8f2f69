#include "base/tls.h"

#include <asm/prctl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/safe_read.h"
#include "base/sys.h"

enum { CODE_BYTES = 24, DISPLACEMENT = 4 };

/* endbr64, where the compiler was told to prepare for control-flow enforcement. */
static const unsigned char landing[] = {0xf3, 0x0f, 0x1e, 0xfa};
/* mov %fs:DISPLACEMENT, %rax; ret (an executable's own variable) */
static const unsigned char direct[] = {0x64, 0x48, 0x8b, 0x04, 0x25};
/* mov DISPLACEMENT(%rip), %rax, then the rest (a shared object's) */
static const unsigned char slot[] = {0x48, 0x8b, 0x05};
/* mov $DISPLACEMENT, %rax, then the rest (what the linker makes of it in an executable)
 */
static const unsigned char relaxed[] = {0x48, 0xc7, 0xc0};
/* mov %fs:(%rax), %rax; ret */
static const unsigned char rest[] = {0x64, 0x48, 0x8b, 0x00, 0xc3};
enum { RET = 0xc3 };

static int32_t displacement(const unsigned char *code)
{
	int32_t value;

	memcpy(&value, code, sizeof(value));
	return value;
}

static intptr_t in_two_steps(const unsigned char *code, uintptr_t address)
{
	const unsigned char *second = code + sizeof(slot) + DISPLACEMENT;
	uintptr_t next = address + sizeof(slot) + DISPLACEMENT;
	intptr_t value = displacement(code + sizeof(slot));
	uint64_t offset;

	if (memcmp(second, rest, sizeof(rest)) != 0)
		return 0;
	if (memcmp(code, relaxed, sizeof(relaxed)) == 0)
		return value;
	return memcmp(code, slot, sizeof(slot)) == 0 &&
			       ftsan_safe_u64(next + (uintptr_t)value, &offset)
		       ? (intptr_t)offset
		       : 0;
}

intptr_t ftsan_tls_getter(uintptr_t function)
{
	unsigned char bytes[CODE_BYTES];
	const unsigned char *code = bytes;

	if (ftsan_safe_read(bytes, (const void *)function, sizeof(bytes)) != 0)
		return 0;
	if (memcmp(code, landing, sizeof(landing)) == 0)
		code += sizeof(landing);
	if (memcmp(code, direct, sizeof(direct)) == 0 &&
	    code[sizeof(direct) + DISPLACEMENT] == RET)
		return displacement(code + sizeof(direct));
	return in_two_steps(code, function + (uintptr_t)(code - bytes));
}

/* glibc 2.36, sysdeps/x86_64/nptl/tls.h, tcbhead_t: tcb at 0 and self at 16 are the
 * address of the descriptor; the psABI asks for the first only. */
void ftsan_tls_restore(void)
{
	uintptr_t base = 0;

	if (ftsan_sys_call6(SYS_arch_prctl, ARCH_GET_FS, (long)&base, 0, 0, 0, 0) != 0)
		return;
	__asm__ volatile("movq %0, %%fs:0\n\tmovq %0, %%fs:16" : : "r"(base) : "memory");
}
