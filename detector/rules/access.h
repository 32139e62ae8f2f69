/* One memory access as the engines see it. Data only; the rules are in rules.h. */
#ifndef FTSAN_ACCESS_H
#define FTSAN_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

/* How a thread touched a buffer. */
enum ftsan_role {
	FTSAN_ROLE_READ,
	FTSAN_ROLE_WRITE,
	FTSAN_ROLE_ALLOC,
	FTSAN_ROLE_FREE,
	FTSAN_ROLE_CALL,
	FTSAN_ROLE_CRASH, /* it died there */
};

/**
 * struct ftsan_access - an access
 * @address: first byte
 * @size:    bytes; at least 1
 * @role:    read, write, or free (which covers the whole buffer)
 * @atomic:  the instruction locks the bus (lock prefix, or xchg with memory)
 * @exact:   address and size were decoded from the instruction; otherwise they are
 *           the one byte that the processor named as faulting
 */
struct ftsan_access {
	uintptr_t address;
	uint32_t size;
	enum ftsan_role role;
	bool atomic;
	bool exact;
};

#endif
