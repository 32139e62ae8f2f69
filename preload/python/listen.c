#include "python/listen.h"

#include <stddef.h>

/* Of all files; made by the linker, absent when nobody listens. */
typedef const struct ftsan_listener *listener;
extern const listener __start_ftsan_listeners[]
	__attribute__((weak, visibility("hidden")));
extern const listener __stop_ftsan_listeners[]
	__attribute__((weak, visibility("hidden")));

void ftsan_tell_capsule(void *pointer, uintptr_t caller)
{
	for (const listener *at = __start_ftsan_listeners; at < __stop_ftsan_listeners;
	     at++)
		if ((*at)->capsule != NULL)
			(*at)->capsule(pointer, caller);
}

void ftsan_tell_item(void *dictionary, const char *key)
{
	for (const listener *at = __start_ftsan_listeners; at < __stop_ftsan_listeners;
	     at++)
		if ((*at)->item != NULL)
			(*at)->item(dictionary, key);
}

void ftsan_tell_module(const void *definition, uintptr_t caller)
{
	for (const listener *at = __start_ftsan_listeners; at < __stop_ftsan_listeners;
	     at++)
		if ((*at)->module != NULL)
			(*at)->module(definition, caller);
}

void ftsan_tell_frame(void)
{
	for (const listener *at = __start_ftsan_listeners; at < __stop_ftsan_listeners;
	     at++)
		if ((*at)->frame != NULL)
			(*at)->frame();
}
