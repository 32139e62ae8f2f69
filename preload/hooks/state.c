#include "hooks/state.h"

#include "base/base.h"
#include "runtime/runtime.h"

_Atomic bool ftsan_preload_is_active;

static bool attached;
static struct ftsan_options options;
static int root_pid;

bool ftsan_preload_own(void)
{
	return ftsan_preload_active() && ftsan_runtime_own_process();
}

bool ftsan_preload_attached(void)
{
	return attached && ftsan_preload_active();
}

const struct ftsan_options *ftsan_preload_options(void)
{
	return &options;
}

bool ftsan_preload_root(void)
{
	return root_pid == ftsan_sys_getpid();
}

void ftsan_preload_become_active(bool by_attach)
{
	attached = by_attach;
	atomic_store_explicit(&ftsan_preload_is_active, true, memory_order_release);
}

void ftsan_preload_leave(void)
{
	atomic_store_explicit(&ftsan_preload_is_active, false, memory_order_release);
}

struct ftsan_options *ftsan_preload_set_options(void)
{
	return &options;
}

void ftsan_preload_set_root(int pid)
{
	root_pid = pid;
}
