#include "python/listen.h"

#include <stddef.h>

static const struct ftsan_listener *const nobody[] = {NULL};
static const struct ftsan_listener *const *listeners = nobody;

void ftsan_listen(const struct ftsan_listener *const *all)
{
	listeners = all;
}

void ftsan_tell_capsule(void *pointer, uintptr_t caller)
{
	for (const struct ftsan_listener *const *at = listeners; *at != NULL; at++)
		if ((*at)->capsule != NULL)
			(*at)->capsule(pointer, caller);
}

void ftsan_tell_item(void *dictionary, const char *key)
{
	for (const struct ftsan_listener *const *at = listeners; *at != NULL; at++)
		if ((*at)->item != NULL)
			(*at)->item(dictionary, key);
}

void ftsan_tell_module(const void *definition, uintptr_t caller)
{
	for (const struct ftsan_listener *const *at = listeners; *at != NULL; at++)
		if ((*at)->module != NULL)
			(*at)->module(definition, caller);
}

void ftsan_tell_frame(void)
{
	for (const struct ftsan_listener *const *at = listeners; *at != NULL; at++)
		if ((*at)->frame != NULL)
			(*at)->frame();
}
