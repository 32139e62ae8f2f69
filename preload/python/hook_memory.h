/* Freeing and resizing of guarded buffers, whoever allocated them. */
#ifndef FTSAN_PRELOAD_HOOK_MEMORY_H
#define FTSAN_PRELOAD_HOOK_MEMORY_H

#include <stddef.h>

/**
 * ftsan_memory_move() - the end of a realloc of a guarded block
 * @to: the new block, NULL: there is none, and nothing changes
 *
 * Copies, and puts the old block into quarantine. Context: normal context.
 * Return: @to.
 */
void *ftsan_memory_move(void *block, size_t size, void *to);

/* Who is told of each free of a guarded buffer, NULL: nobody. @freed may be called by any
 * thread, and once more after it was replaced. */
void ftsan_memory_tell_freed(void (*freed)(void));

#endif
