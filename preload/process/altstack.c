#include "process/altstack.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "base/base.h"
#include "hooks/hooks.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

enum {
	STACK_BYTES = 64 * 1024,
	/* The kernel's fixed lower bound, whatever the CPU's registers need. */
	KERNEL_MIN_BYTES = 2048,
};

/* @base: ours, NULL while there is none; @requested: the program's. */
static FTSAN_TLS struct {
	char *base;
	stack_t requested;
} self;

/* The kernel's frame grows with the CPU (AVX-512, AMX); ours comes on top of it. */
static size_t stack_bytes(void)
{
	size_t bytes = STACK_BYTES + getauxval(AT_MINSIGSTKSZ);

	return (bytes + FTSAN_PAGE - 1) & ~(FTSAN_PAGE - 1);
}

void *ftsan_altstack_map(void)
{
	char *base = ftsan_sys_reserve(FTSAN_PAGE + stack_bytes());

	if (!base)
		return NULL;
	base += FTSAN_PAGE;
	if (ftsan_sys_protect(base, stack_bytes(), PROT_READ | PROT_WRITE) == 0)
		return base;
	ftsan_altstack_unmap(base);
	return NULL;
}

void ftsan_altstack_unmap(void *stack)
{
	ftsan_sys_unmap((char *)stack - FTSAN_PAGE, FTSAN_PAGE + stack_bytes());
}

void ftsan_altstack_enter(void *stack, bool keep)
{
	stack_t ours = {.ss_sp = stack, .ss_size = stack_bytes()};
	stack_t before = {.ss_flags = SS_DISABLE};

	if (!stack || FTSAN_REAL(sigaltstack)(&ours, &before) != 0)
		return;
	self.base = stack;
	self.requested = keep ? before : (stack_t){.ss_flags = SS_DISABLE};
}

void ftsan_altstack_leave(void)
{
	stack_t off = {.ss_flags = SS_DISABLE};
	char *base = self.base;

	if (!base || FTSAN_REAL(sigaltstack)(&off, NULL) != 0)
		return;
	self.base = NULL;
	ftsan_altstack_unmap(base);
}

bool ftsan_altstack_holds(uintptr_t sp)
{
	uintptr_t base = (uintptr_t)self.base;

	return base && sp >= base && sp - base < stack_bytes();
}

/* On the alternate stack that is plain; elsewhere a stack grows downwards. */
bool ftsan_altstack_within(uintptr_t frame, uintptr_t sp)
{
	return sp < frame && (!ftsan_altstack_holds(frame) || ftsan_altstack_holds(sp));
}

/* What the kernel would say to the request. */
static int judge(const stack_t *stack, bool in_use)
{
	int mode = (int)((unsigned)stack->ss_flags & ~SS_AUTODISARM);

	if (in_use)
		return EPERM;
	if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
		return EINVAL;
	if (mode != SS_DISABLE && stack->ss_size < KERNEL_MIN_BYTES)
		return ENOMEM;
	return 0;
}

static stack_t remembered(const stack_t *stack)
{
	if (stack->ss_flags & SS_DISABLE)
		return (stack_t){.ss_flags = SS_DISABLE};
	return (stack_t){.ss_sp = stack->ss_sp,
			 .ss_size = stack->ss_size,
			 .ss_flags = (int)((unsigned)stack->ss_flags & SS_AUTODISARM)};
}

static bool is_on(const stack_t *stack, uintptr_t sp)
{
	return !(stack->ss_flags & SS_DISABLE) &&
	       sp - (uintptr_t)stack->ss_sp < stack->ss_size;
}

bool ftsan_altstack_adopt(void *stack, stack_t *frame, uintptr_t sp, bool *taken)
{
	*taken = false;
	if (self.base && frame->ss_sp == self.base)
		return true;
	if (is_on(frame, sp))
		return false;
	*taken = !self.base;
	if (*taken)
		self.base = stack;
	self.requested = remembered(frame);
	*frame = (stack_t){.ss_sp = self.base, .ss_size = stack_bytes()};
	return true;
}

bool ftsan_altstack_release(stack_t *frame, uintptr_t sp)
{
	if (!self.base || frame->ss_sp != self.base)
		return true;
	if (is_on(frame, sp))
		return false;
	*frame = self.requested;
	return true;
}

int ftsan_hook_sigaltstack(const stack_t *stack, stack_t *old)
{
	stack_t before = self.requested;
	bool in_use;
	int error;

	if (!self.base || !ftsan_preload_own())
		return FTSAN_REAL(sigaltstack)(stack, old);
	in_use = !(before.ss_flags & SS_DISABLE) &&
		 ftsan_altstack_holds((uintptr_t)__builtin_frame_address(0));
	if (stack) {
		error = judge(stack, in_use);
		if (error) {
			errno = error;
			return -1;
		}
		self.requested = remembered(stack);
	}
	if (old) {
		*old = before;
		old->ss_flags |= in_use ? SS_ONSTACK : 0;
	}
	return 0;
}
