#include "attach/inject_registers.h"

#include <cpuid.h>
#include <sys/syscall.h>

#include "attach/kernel_errors.h"

enum { USER_CODE_SEGMENT = 0x33, SYSCALL_BYTES = 2 };

struct ftsan_thread_state ftsan_registers_state(const struct user_regs_struct *registers)
{
	return (struct ftsan_thread_state){
		.native = registers->cs == USER_CODE_SEGMENT,
		.in_syscall = (long)registers->orig_rax >= 0,
		.number = (long)registers->orig_rax,
		.result = (long)registers->rax,
		.second = registers->rsi,
		.ip = registers->rip,
		.sp = registers->rsp,
		.descriptor = registers->fs_base,
	};
}

void ftsan_registers_restart(struct user_regs_struct *registers)
{
	if ((long)registers->orig_rax < 0)
		return;
	switch (-(long)registers->rax) {
	case FTSAN_RESTARTSYS:
	case FTSAN_RESTARTNOINTR:
	case FTSAN_RESTARTNOHAND:
		registers->rax = registers->orig_rax;
		registers->rip -= SYSCALL_BYTES;
		break;
	case FTSAN_RESTART_BLOCK:
		registers->rax = SYS_restart_syscall;
		registers->rip -= SYSCALL_BYTES;
		break;
	}
}

struct ftsan_saved ftsan_registers_save(const struct user_regs_struct *registers)
{
	return (struct ftsan_saved){
		.r15 = registers->r15,
		.r14 = registers->r14,
		.r13 = registers->r13,
		.r12 = registers->r12,
		.rbp = registers->rbp,
		.rbx = registers->rbx,
		.r11 = registers->r11,
		.r10 = registers->r10,
		.r9 = registers->r9,
		.r8 = registers->r8,
		.rcx = registers->rcx,
		.rdx = registers->rdx,
		.rsi = registers->rsi,
		.rdi = registers->rdi,
		.rax = registers->rax,
		.flags = registers->eflags,
		.rip = registers->rip,
	};
}

void ftsan_registers_divert(struct user_regs_struct *registers, uint64_t ip, uint64_t sp)
{
	registers->rip = ip;
	registers->rsp = sp;
	registers->orig_rax = (unsigned long long)-1;
}

uint64_t ftsan_registers_extended_bytes(void)
{
	unsigned a, b, c, d;

	/* Bit 27 of leaf 1's ecx: the system uses XSAVE. 64 to align it. */
	if (__get_cpuid(1, &a, &b, &c, &d) == 0 || !(c >> 27 & 1) ||
	    __get_cpuid_count(0xd, 0, &a, &b, &c, &d) == 0)
		return 0;
	return b + 64;
}
