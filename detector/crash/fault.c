#include "crash/fault.h"

#include <string.h>

#include "base/base.h"
#include "crash/registers.h"
#include "decode/decode.h"

enum {
	/* What may lie between the stack pointer and what a function touches first. */
	RED_ZONE = 256,
	/* How far above a stack pointer that is out of bounds the stack is looked for:
	   a frame may be large. */
	STACK_NEAR = 64 << 20,
};

static bool is_readable(uintptr_t address)
{
	char byte;

	return ftsan_safe_read(&byte, (const void *)address, 1) == 0;
}

/* Is there a stack that ends right above @sp? */
static bool stack_above(uintptr_t sp)
{
	struct ftsan_map_entry mapping;
	uintptr_t at = sp;

	/* The guard pages are a mapping of their own, without access. */
	for (unsigned i = 0; i < 4; i++) {
		if (!ftsan_map_find(at, true, &mapping) ||
		    mapping.begin > sp + STACK_NEAR)
			return false;
		if (mapping.access[0] == 'r')
			return mapping.access[1] == 'w' && mapping.name[0] != '/' &&
			       mapping.begin >= sp;
		at = mapping.end;
	}
	return false;
}

static bool is_overflow(const void *uc, uintptr_t fault)
{
	uintptr_t sp = ftsan_context_sp(uc);

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
		ftsan_buf_str(&buf, ftsan_register_name(operand->base));
	if (operand->index >= 0) {
		if (operand->base >= 0)
			ftsan_buf_char(&buf, '+');
		ftsan_buf_str(&buf, ftsan_register_name(operand->index));
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
static int guilty_register(const struct ftsan_operand *operand, const void *uc)
{
	if (operand->base >= 0 && operand->index >= 0 &&
	    !ftsan_register_is_ip(operand->base) &&
	    is_readable(ftsan_context_register(uc, operand->base)) &&
	    !is_readable(ftsan_context_register(uc, operand->index)) &&
	    ftsan_context_register(uc, operand->index) > 0xffffffff)
		return operand->index;
	return operand->base >= 0 ? operand->base : operand->index;
}

static void look_at_jump(struct ftsan_fault *out, uintptr_t target, uintptr_t sp)
{
	out->facts.fetch = true;
	out->reg = ftsan_register_ip_name();
	out->value = target;
	ftsan_pointer_explain(&out->pointer, target, sp);
}

static void look_at_operand(struct ftsan_fault *out, const struct ftsan_operand *operand,
			    const void *uc, uintptr_t fault)
{
	uintptr_t sp = ftsan_context_sp(uc);
	int greg;

	out->has_access = true;
	out->access = (struct ftsan_access){
		.address = fault != 0 ? fault : operand->address,
		.size = operand->size != 0 ? operand->size : 1,
		.role = operand->writes ? FTSAN_ROLE_WRITE : FTSAN_ROLE_READ,
		.exact = operand->size != 0,
	};
	if (ftsan_fault_of_page(uc))
		out->access.role =
			ftsan_context_writes(uc) ? FTSAN_ROLE_WRITE : FTSAN_ROLE_READ;
	put_operand(out, operand);
	greg = guilty_register(operand, uc);
	out->reg = ftsan_register_name(greg);
	out->value = greg >= 0 && !ftsan_register_is_ip(greg)
			     ? ftsan_context_register(uc, greg)
			     : operand->address;
	ftsan_pointer_explain(&out->pointer, out->value, sp);
	/* The pointer is good, and what it points at ends before the address: then the
	 * address says more. */
	if ((out->pointer.kind >= FTSAN_POINTER_STATIC) && fault != 0)
		ftsan_pointer_explain(&out->pointer, fault, sp);
}

static void look_at_memory(struct ftsan_fault *out, const siginfo_t *info, const void *uc)
{
	bool page_fault = ftsan_fault_of_page(uc);
	uintptr_t fault = page_fault ? (uintptr_t)info->si_addr : 0;
	uintptr_t sp = ftsan_context_sp(uc);
	struct ftsan_operand operand;

	if (page_fault && ftsan_context_fetches(uc)) {
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
static void look_for_freed(struct ftsan_fault *out, const void *uc)
{
	int index;

	if (ftsan_freed_is_fill(out->value) || out->pointer.kind == FTSAN_POINTER_BLOCK)
		out->has_freed = ftsan_freed_find(out->value, &out->freed);
	for (unsigned i = 0; (index = ftsan_context_index(i)) >= 0 && !out->has_freed;
	     i++) {
		uint64_t value = ftsan_context_register(uc, index);

		if (!ftsan_freed_is_fill(value) || !ftsan_freed_find(value, &out->freed))
			continue;
		out->has_freed = true;
		out->reg = ftsan_register_name(index);
		out->value = value;
	}
	if (out->has_freed)
		say_freed(out);
}

void ftsan_fault_look(struct ftsan_fault *out, int sig, const siginfo_t *info,
		      const void *uc, const char *message)
{
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
