/* The life of the process: fork, the ways to end, namespaces. */
#ifndef FTSAN_PRELOAD_HOOK_PROCESS_H
#define FTSAN_PRELOAD_HOOK_PROCESS_H

/*
 * Registers with fork and exit. As early as can be: then our prepare handler runs
 * after the program's own (which may stop threads), and our exit handler after its.
 */
void ftsan_process_start(void);

#endif
