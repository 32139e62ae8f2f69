#include "crash/last_words.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "hooks/hooks.h"

enum { MESSAGE_MAX = 400 };

/* glibc's, private: Version GLIBC_PRIVATE; sysdeps and include/stdlib/abort: struct
 * abort_msg_s { unsigned int size; char msg[]; }, set by malloc, assert and the
 * fortified functions (2.4 and later). */
static uintptr_t abort_message;
enum { ABORT_TEXT = 4 };

void ftsan_last_words_start(void)
{
	abort_message = (uintptr_t)ftsan_real_lookup(RTLD_DEFAULT, "__abort_msg");
}

const char *ftsan_last_words(void)
{
	static char words[MESSAGE_MAX];
	uintptr_t at;

	if (abort_message == 0 || !ftsan_safe_ptr(abort_message, &at) || at == 0 ||
	    !ftsan_safe_string(words, sizeof(words), at + ABORT_TEXT))
		return NULL;
	return words;
}
