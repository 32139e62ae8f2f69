/*
 * Reading and writing guarded pages whatever their protection, through
 * /proc/self/mem.
 *
 * A descriptor of it is dangerous: inherited by the child of a fork it writes into the
 * parent. So it is kept on a page that the kernel wipes on fork (MADV_WIPEONFORK; no
 * atfork handler runs after a raw clone), and it is compared with what was opened
 * before each use (base/fd.h). Kernels can refuse it (proc_mem.force_override): then
 * ftsan_mem_writable() is false and stores are performed by opening the page.
 */
#ifndef FTSAN_MEM_H
#define FTSAN_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Context: start-up. Return: 0, or -errno when the kernel refuses. */
int ftsan_mem_init(void);

/* May throughout be called from any thread, async-signal-safe. Return: 0 or -errno. */
int ftsan_mem_write(uintptr_t to, const void *from, size_t size_bytes);
int ftsan_mem_read(void *to, uintptr_t from, size_t size_bytes);

/* A write to a read-only page of our own worked at start. */
bool ftsan_mem_writable(void);

/* The child of a fork: closes the inherited descriptor; the next use opens its own. */
void ftsan_mem_fork_child(void);

#endif
