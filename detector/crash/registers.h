/*
 * What a port has to provide besides base/context.h: registers by the names that people
 * know, and what sort of fault a context is of. An index is one of a context's.
 */
#ifndef FTSAN_CRASH_REGISTERS_H
#define FTSAN_CRASH_REGISTERS_H

#include <stdbool.h>

/* "rbx"; "" for what is no general register. */
const char *ftsan_register_name(int index);

/* Of the one that says where the thread is. */
const char *ftsan_register_ip_name(void);
bool ftsan_register_is_ip(int index);

/* Had the access an address that the processor could look up? Else the signal has none. */
bool ftsan_fault_of_page(const void *ucontext);

#endif
