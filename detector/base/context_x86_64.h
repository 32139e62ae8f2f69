/* base/context.h on x86-64; included by that and by nothing else. */
#ifndef FTSAN_BASE_CONTEXT_X86_64_H
#define FTSAN_BASE_CONTEXT_X86_64_H

static inline uintptr_t ftsan_context_register(const void *ucontext, int index)
{
	return (uintptr_t)((const ucontext_t *)ucontext)->uc_mcontext.gregs[index];
}

static inline void ftsan_context_move(void *ucontext, int index, intptr_t delta)
{
	((ucontext_t *)ucontext)->uc_mcontext.gregs[index] += delta;
}

static inline uintptr_t ftsan_context_ip(const void *ucontext)
{
	return ftsan_context_register(ucontext, REG_RIP);
}

static inline uintptr_t ftsan_context_breakpoint(const void *ucontext)
{
	return ftsan_context_ip(ucontext) - 1;
}

static inline void ftsan_context_set_ip(void *ucontext, uintptr_t ip)
{
	((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP] = (greg_t)ip;
}

static inline uintptr_t ftsan_context_sp(const void *ucontext)
{
	return ftsan_context_register(ucontext, REG_RSP);
}

static inline uintptr_t ftsan_context_third(const void *ucontext)
{
	return ftsan_context_register(ucontext, REG_RDX);
}

static inline int ftsan_context_index(unsigned number)
{
	static const int8_t of[16] = {
		REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
		REG_R8,	 REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

	return number < sizeof(of) ? of[number] : -1;
}

/* The trap flag of RFLAGS: SIGTRAP after the next instruction. */
#define FTSAN_TRAP_FLAG 0x100

static inline bool ftsan_context_steps(const void *ucontext)
{
	return (ftsan_context_register(ucontext, REG_EFL) & FTSAN_TRAP_FLAG) != 0;
}

static inline void ftsan_context_set_steps(void *ucontext, bool steps)
{
	greg_t *flags = &((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_EFL];

	*flags = steps ? *flags | FTSAN_TRAP_FLAG : *flags & ~FTSAN_TRAP_FLAG;
}

/* The page-fault error code (Intel SDM volume 3, 4.7): bit 1, a write; bit 4, a fetch. */
static inline bool ftsan_context_writes(const void *ucontext)
{
	return (ftsan_context_register(ucontext, REG_ERR) & 2) != 0;
}

static inline bool ftsan_context_fetches(const void *ucontext)
{
	return (ftsan_context_register(ucontext, REG_ERR) & 16) != 0;
}

static inline bool ftsan_context_caller(const void *ucontext, uintptr_t *back)
{
	return ftsan_safe_ptr(ftsan_context_sp(ucontext), back);
}

static inline void ftsan_context_uncall(void *ucontext, uintptr_t back)
{
	ftsan_context_set_ip(ucontext, back - 1);
	ftsan_context_move(ucontext, REG_RSP, sizeof(back));
}

/* A call that is to be repeated is at its SYSCALL again, with its number; one that is not
 * is behind it, with -EINTR (handle_signal(), arch/x86/kernel/signal.c). The first
 * argument's register is as it was. */
static inline bool ftsan_context_futex(const void *ucontext, uintptr_t *word)
{
	enum { SYSCALL = 0x050f, FUTEX = 202, INTERRUPTED = -4 };
	intptr_t result = (intptr_t)ftsan_context_register(ucontext, REG_RAX);
	uintptr_t ip = ftsan_context_ip(ucontext);
	uint16_t code;

	*word = ftsan_context_register(ucontext, REG_RDI);
	if (result == INTERRUPTED)
		ip -= sizeof(code);
	return (result == FUTEX || result == INTERRUPTED) &&
	       ftsan_safe_read(&code, (const void *)ip, sizeof(code)) == 0 &&
	       code == SYSCALL;
}

#define FTSAN_SAVE(reg, index) "movq %%" reg ", %c[" index "]*8(%[g])\n\t"

/* The stack and what calls preserve; inlined, so that they are the caller's. */
__attribute__((always_inline)) static inline void ftsan_context_here(ucontext_t *here)
{
	/* clang-format off */
	__asm__ volatile(FTSAN_SAVE("rbx", "rbx") FTSAN_SAVE("rbp", "rbp")
			 FTSAN_SAVE("r12", "r12") FTSAN_SAVE("r13", "r13")
			 FTSAN_SAVE("r14", "r14") FTSAN_SAVE("r15", "r15")
			 FTSAN_SAVE("rsp", "rsp")
			 "leaq 0f(%%rip), %%rax\n\t"
			 FTSAN_SAVE("rax", "rip")
			 "0:\n"
			 :
			 : [g] "r"(here->uc_mcontext.gregs), [rbx] "i"(REG_RBX),
			   [rbp] "i"(REG_RBP), [r12] "i"(REG_R12), [r13] "i"(REG_R13),
			   [r14] "i"(REG_R14), [r15] "i"(REG_R15), [rsp] "i"(REG_RSP),
			   [rip] "i"(REG_RIP)
			 : "rax", "memory");
	/* clang-format on */
}

#endif
