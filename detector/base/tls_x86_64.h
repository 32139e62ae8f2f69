/* base/tls.h on x86-64, where fs points at the descriptor; included by that alone. */
#ifndef FTSAN_BASE_TLS_X86_64_H
#define FTSAN_BASE_TLS_X86_64_H

static inline uintptr_t ftsan_tls_word(intptr_t offset)
{
	uintptr_t value;

	/* Volatile: another call may have changed it. */
	__asm__ volatile("movq %%fs:(%1), %0" : "=r"(value) : "r"(offset));
	return value;
}

/* glibc's tcbhead_t: words 0 and 2 are its own address. */
static inline uintptr_t ftsan_tls_self(void)
{
	return ftsan_tls_word(16);
}

static inline void ftsan_tls_mend(void)
{
	uintptr_t self = ftsan_tls_word(0);

	if (__builtin_expect(
		    self != ftsan_tls_self() || self % 64 != 0 || self >> 47 != 0, 0))
		ftsan_tls_restore();
}

#endif
