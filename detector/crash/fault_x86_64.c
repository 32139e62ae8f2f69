#include "crash/fault.h"

#include <string.h>
#include <ucontext.h>

#include "base/base.h"
#include "decode/decode.h"

enum {
	/* Bits of the page-fault error code (x86 manual, volume 3, 4.7). */
	ERROR_WRITE = 2,
	ERROR_FETCH = 16,
	TRAP_PAGE_FAULT = 14,
	/* What may lie between the stack pointer and what a function touches first. */
	RED_ZONE = 256,
	/* How far above a stack pointer that is out of bounds the stack is looked for:
	   a frame may be large. */
	STACK_NEAR = 64 << 20,
};

static const char *register_name(int greg)
{
	switch (greg) {
	case REG_R8:
		return "r8";
	case REG_R9:
		return "r9";
	case REG_R10:
		return "r10";
	case REG_R11:
		return "r11";
	case REG_R12:
		return "r12";
	case REG_R13:
		return "r13";
	case REG_R14:
		return "r14";
	case REG_R15:
		return "r15";
	case REG_RDI:
		return "rdi";
	case REG_RSI:
		return "rsi";
	case REG_RBP:
		return "rbp";
	case REG_RBX:
		return "rbx";
	case REG_RDX:
		return "rdx";
	case REG_RAX:
		return "rax";
	case REG_RCX:
		return "rcx";
	case REG_RSP:
		return "rsp";
	case REG_RIP:
		return "rip";
	default:
		return "";
	}
}

static bool is_readable(uintptr_t address)
{
	char byte;

	return ftsan_safe_read(&byte, (const void *)address, 1) == 0;
}

/* Is there a stack that ends right above @sp? */
static bool stack_above(uintptr_t sp)
{
	struct ftsan_mapping mapping;
	uintptr_t at = sp;

	/* The guard pages are a mapping of their own, without access. */
	for (unsigned i = 0; i < 4; i++) {
		if (ftsan_mapping_find(at, 1, &mapping) != 0 ||
		    mapping.begin > sp + STACK_NEAR)
			return false;
		if (mapping.access[0] == 'r')
			return mapping.access[1] == 'w' && mapping.name[0] != '/' &&
			       mapping.begin >= sp;
		at = mapping.end;
	}
	return false;
}

static bool is_overflow(const ucontext_t *uc, uintptr_t fault)
{
	uintptr_t sp = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP];

	if (is_readable(sp))
		/* The stack pointer is good still, and what is below it is not. */
		return fault < sp && sp - fault <= RED_ZONE && !is_readable(fault);
	return stack_above(sp);
}

static void put_operand(struct ftsan_fault *out, const struct ftsan_operand *operand)
{
	struct ftsan_buf buf;
	int64_t displacement = operand->displacement;

	ftsan_buf_init(&buf, out->operand, sizeof(out->operand));
	ftsan_buf_char(&buf, '[');
	if (operand->base >= 0)
		ftsan_buf_str(&buf, register_name(operand->base));
	if (operand->index >= 0) {
		if (operand->base >= 0)
			ftsan_buf_char(&buf, '+');
		ftsan_buf_str(&buf, register_name(operand->index));
		if (operand->scale > 1) {
			ftsan_buf_char(&buf, '*');
			ftsan_buf_u64(&buf, operand->scale);
		}
	}
	if (displacement != 0 || buf.length == 1) {
		if (buf.length > 1)
			ftsan_buf_char(&buf, displacement < 0 ? '-' : '+');
		ftsan_buf_hex(&buf, (uint64_t)(displacement < 0 && buf.length > 1
						       ? -displacement
						       : displacement));
	}
	ftsan_buf_char(&buf, ']');
	(void)ftsan_buf_cstr(&buf);
}

/* Which of the two registers is to blame: the one that is no good by itself. */
static int guilty_register(const struct ftsan_operand *operand, const greg_t *gregs)
{
	if (operand->base >= 0 && operand->index >= 0 && operand->base != REG_RIP &&
	    is_readable((uintptr_t)gregs[operand->base]) &&
	    !is_readable((uintptr_t)gregs[operand->index]) &&
	    (uint64_t)gregs[operand->index] > 0xffffffff)
		return operand->index;
	return operand->base >= 0 ? operand->base : operand->index;
}

static void look_at_jump(struct ftsan_fault *out, uintptr_t target, uintptr_t sp)
{
	out->facts.fetch = true;
	out->reg = "rip";
	out->value = target;
	ftsan_pointer_explain(&out->pointer, target, sp);
}

static void look_at_operand(struct ftsan_fault *out, const struct ftsan_operand *operand,
			    const ucontext_t *uc, uintptr_t fault)
{
	const greg_t *gregs = uc->uc_mcontext.gregs;
	uintptr_t sp = (uintptr_t)gregs[REG_RSP];
	int greg;

	out->has_access = true;
	out->access = (struct ftsan_access){
		.address = fault != 0 ? fault : operand->address,
		.size = operand->size != 0 ? operand->size : 1,
		.role = operand->writes ? FTSAN_ROLE_WRITE : FTSAN_ROLE_READ,
		.exact = operand->size != 0,
	};
	if (gregs[REG_TRAPNO] == TRAP_PAGE_FAULT)
		out->access.role =
			gregs[REG_ERR] & ERROR_WRITE ? FTSAN_ROLE_WRITE : FTSAN_ROLE_READ;
	put_operand(out, operand);
	greg = guilty_register(operand, gregs);
	out->reg = register_name(greg);
	out->value = greg >= 0 ? (uintptr_t)gregs[greg] : operand->address;
	if (greg == REG_RIP)
		out->value = operand->address;
	ftsan_pointer_explain(&out->pointer, out->value, sp);
	/* The pointer is good, and what it points at ends before the address: then the
	 * address says more. */
	if ((out->pointer.kind >= FTSAN_POINTER_STATIC) && fault != 0)
		ftsan_pointer_explain(&out->pointer, fault, sp);
}

static void look_at_memory(struct ftsan_fault *out, const siginfo_t *info,
			   const ucontext_t *uc)
{
	const greg_t *gregs = uc->uc_mcontext.gregs;
	uintptr_t fault =
		gregs[REG_TRAPNO] == TRAP_PAGE_FAULT ? (uintptr_t)info->si_addr : 0;
	uintptr_t sp = (uintptr_t)gregs[REG_RSP];
	struct ftsan_operand operand;
	bool page_fault = gregs[REG_TRAPNO] == TRAP_PAGE_FAULT;

	if (page_fault && (gregs[REG_ERR] & ERROR_FETCH)) {
		look_at_jump(out, fault, sp);
		return;
	}
	out->facts.bus_object =
		info->si_signo == SIGBUS && info->si_code == BUS_ADRERR && page_fault;
	out->facts.overflow =
		info->si_signo == SIGSEGV && page_fault && is_overflow(uc, fault);
	if (ftsan_decode_operand(&operand, uc, fault) && operand.found) {
		look_at_operand(out, &operand, uc, fault);
	} else if (page_fault) {
		out->value = fault;
		ftsan_pointer_explain(&out->pointer, fault, sp);
	}
	out->facts.pointer = out->pointer.kind;
}

/* --- freed memory ---------------------------------------------------------------------
 */

static void say_freed(struct ftsan_fault *out)
{
	struct ftsan_buf buf;

	out->pointer.kind = FTSAN_POINTER_FREED;
	ftsan_buf_init(&buf, out->pointer.text, sizeof(out->pointer.text));
	ftsan_freed_describe(&out->freed, &buf);
	(void)ftsan_buf_cstr(&buf);
}

/*
 * A register that has what a held block is filled with was loaded from there, whichever
 * the instruction uses: nothing else has such a value.
 */
static void look_for_freed(struct ftsan_fault *out, const ucontext_t *uc)
{
	const greg_t *gregs = uc->uc_mcontext.gregs;

	if (ftsan_freed_is_fill(out->value) || out->pointer.kind == FTSAN_POINTER_BLOCK)
		out->has_freed = ftsan_freed_find(out->value, &out->freed);
	for (int i = REG_R8; i <= REG_RSP && !out->has_freed; i++) {
		uint64_t value = (uint64_t)gregs[i];

		if (!ftsan_freed_is_fill(value) || !ftsan_freed_find(value, &out->freed))
			continue;
		out->has_freed = true;
		out->reg = register_name(i);
		out->value = value;
	}
	if (out->has_freed)
		say_freed(out);
}

void ftsan_fault_look(struct ftsan_fault *out, int sig, const siginfo_t *info,
		      const void *ucontext, const char *message)
{
	const ucontext_t *uc = ucontext;
	struct ftsan_operand operand;

	memset(out, 0, sizeof(*out));
	out->reg = "";
	out->facts.signal = sig;
	out->facts.sent = info->si_code <= 0;
	if (out->facts.sent) {
		out->sender = info->si_code == SI_USER || info->si_code == SI_QUEUE ||
					      info->si_code == SI_TKILL
				      ? info->si_pid
				      : 0;
		out->facts.by_itself = out->sender == ftsan_sys_getpid();
		if (sig == SIGABRT)
			out->facts.abort = ftsan_abort_kind(message);
		return;
	}
	if (sig == SIGSEGV || sig == SIGBUS) {
		look_at_memory(out, info, uc);
		look_for_freed(out, uc);
		out->facts.pointer = out->pointer.kind;
		return;
	}
	if (ftsan_decode_operand(&operand, uc, 0)) {
		out->facts.divides = operand.divides;
		out->facts.undefined = operand.undefined;
	}
}
