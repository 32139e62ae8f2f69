/* The code that is put into the process, and what it finds on the stack. */
#ifndef FTSAN_TOOLS_INJECT_CODE_X86_64_H
#define FTSAN_TOOLS_INJECT_CODE_X86_64_H

#include <stddef.h>
#include <stdint.h>

/* Below the stack pointer, the ABI leaves a function so many bytes. */
enum { FTSAN_RED_ZONE = 128 };

/* The registers in the order that the code pops them in. */
struct ftsan_saved {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
	uint64_t rcx, rdx, rsi, rdi, rax, flags;
	uint64_t rip; /* the red zone comes behind it */
};

/**
 * struct ftsan_block - what the code works with; the stack pointer is here when it begins
 * @xstate_bytes: what XSAVE needs, with room to align it
 */
struct ftsan_block {
	uint64_t dlopen, dlsym, dlerror, errno_location;
	uint64_t xstate_bytes;
	char function[32];
	char prefix[8]; /* "failed: " */
	char library[1024];
	char request[512];
	char status[512];
	struct ftsan_saved saved;
};

_Static_assert(offsetof(struct ftsan_block, function) == 40, "known to the code");
_Static_assert(offsetof(struct ftsan_block, prefix) == 72, "known to the code");
_Static_assert(offsetof(struct ftsan_block, library) == 80, "known to the code");
_Static_assert(offsetof(struct ftsan_block, request) == 1104, "known to the code");
_Static_assert(offsetof(struct ftsan_block, status) == 1616, "known to the code");
_Static_assert(offsetof(struct ftsan_block, saved) == 2128, "known to the code");

extern const unsigned char ftsan_inject_code[];
extern const unsigned char ftsan_inject_code_end[];

#endif
