#include "crash/last_words.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

#include "base/base.h"
#include "crash/hook_write.h"
#include "hooks/hooks.h"
#include "stacks/stacks.h"

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
	static char words[FTSAN_LAST_WORDS_MAX];
	const char *python = ftsan_last_words_of_python();
	uintptr_t at;

	if (python != NULL)
		return python;
	if (abort_message == 0 || !ftsan_safe_ptr(abort_message, &at) || at == 0 ||
	    !ftsan_safe_string(words, sizeof(words), at + ABORT_TEXT))
		return NULL;
	return words;
}

const char *ftsan_last_place(uintptr_t pc)
{
	static char text[64 + FTSAN_SYMBOL_MAX];
	char name[FTSAN_SYMBOL_MAX];
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, text, sizeof(text));
	ftsan_buf_str(&buf, "ftsan's own look at it failed in ");
	if (ftsan_symbol_name(pc, name) == 0)
		ftsan_buf_str(&buf, name);
	else
		ftsan_buf_hex(&buf, pc);
	return ftsan_buf_cstr(&buf);
}
