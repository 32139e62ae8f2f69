/*
 * What the injection does to a stopped thread's registers, and what it reads of them. The
 * code that is put into the process has its own header for each architecture.
 */
#ifndef FTSAN_TOOLS_INJECT_REGISTERS_H
#define FTSAN_TOOLS_INJECT_REGISTERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#if defined(__x86_64__)
#include "attach/inject_code_x86_64.h"
#else
#error "docs/internals.md, Another architecture, says what has to be there"
#endif

/**
 * struct ftsan_thread_state - of a stopped thread
 * @native:     it runs code of this architecture's 64-bit mode
 * @in_syscall: it is in system call @number, whose second argument is @second and which
 *              is about to return @result
 * @ip, @sp:    where it is, and its stack
 * @descriptor: what its thread pointer has
 */
struct ftsan_thread_state {
	bool native, in_syscall;
	long number, result;
	uint64_t second, ip, sp, descriptor;
};

struct ftsan_thread_state ftsan_registers_state(const struct user_regs_struct *registers);

/* What the kernel does on the way out of a call that was interrupted, and will not do
 * once the thread is somewhere else. */
void ftsan_registers_restart(struct user_regs_struct *registers);

/* As ftsan_inject_code wants them back. */
struct ftsan_saved ftsan_registers_save(const struct user_regs_struct *registers);

/* Has the thread go on at @ip with the stack pointer @sp, out of any system call. */
void ftsan_registers_divert(struct user_regs_struct *registers, uint64_t ip, uint64_t sp);

/* Bytes that the rest of the registers (floating point, vectors) take on the stack; 0:
 * the processor can't store them as ftsan_inject_code does. */
uint64_t ftsan_registers_extended_bytes(void);

#endif
