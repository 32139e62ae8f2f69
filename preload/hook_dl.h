/* dlopen and dlclose, and the redirections that follow what they load. */
#ifndef FTSAN_PRELOAD_HOOK_DL_H
#define FTSAN_PRELOAD_HOOK_DL_H

#include <stdint.h>

extern const char *const ftsan_hook_names[];
extern _Atomic uint32_t ftsan_hook_counts[];

/* Redirects the imports of everything that is loaded now. Context: activation, with
 * the originals resolved. */
void ftsan_dl_start(void);

/* Context: the handlers of fork, parent's thread id taken before. */
void ftsan_dl_fork_child(uint32_t parent_tid);

#endif
