/*
 * What the interpreter says before it gives up: fatal_error() (Python/pylifecycle.c, 3.11
 * to 3.15) writes it to stderr in pieces, by write(2), and keeps it nowhere.
 *
 * All of a program's calls of write() come by here: whatever is not the beginning of such
 * a message, which has a length of its own, is handed on and not looked at.
 */
#include "crash/hook_write.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "hooks/hooks.h"

enum { PIECE_MAX = 256 };

static const char beginning[] = "Fatal Python error: ";
enum { BEGINNING = sizeof(beginning) - 1 };

/* Who says it, and what; written by that thread. With the process, as in
 * ftsan_sys_self(): a fork in the middle of it leaves the child half of what its parent
 * has to say. */
static _Atomic uint64_t speaker;
static char said[FTSAN_LAST_WORDS_MAX];
static size_t length;
static _Atomic int complete; /* pid of whom */

/* faulthandler's (Modules/faulthandler.c): the name of a signal is no reason. */
static bool is_signal(const char *text)
{
	static const char *const names[] = {"Aborted", "Segmentation fault", "Bus error",
					    "Floating-point exception",
					    "Illegal instruction"};

	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(names); i++)
		if (strcmp(text, names[i]) == 0)
			return true;
	return false;
}

static void begin(const void *piece)
{
	char text[BEGINNING];
	uint64_t nobody = 0;

	if (ftsan_safe_read(text, piece, BEGINNING) != 0 ||
	    memcmp(text, beginning, BEGINNING) != 0 ||
	    atomic_load(&complete) == ftsan_sys_getpid() ||
	    !atomic_compare_exchange_strong(&speaker, &nobody, ftsan_sys_self()))
		return;
	memcpy(said, beginning, BEGINNING);
	length = BEGINNING;
}

static void go_on(const void *piece, size_t n)
{
	char text[PIECE_MAX];

	if (atomic_load(&speaker) != ftsan_sys_self())
		return;
	if (n > sizeof(text))
		n = sizeof(text);
	if (n > sizeof(said) - 1 - length)
		n = sizeof(said) - 1 - length;
	if (ftsan_safe_read(text, piece, n) != 0)
		n = 0;
	if (n > 0 && text[0] != '\n') {
		memcpy(said + length, text, n);
		length += n;
		return;
	}
	said[length] = '\0';
	if (!is_signal(said + BEGINNING))
		atomic_store(&complete, ftsan_sys_getpid());
	atomic_store(&speaker, 0);
}

/* Of the process that forked this one: it goes on there. */
static void forget_parents(void)
{
	uint64_t who = atomic_load(&speaker);

	if (who != 0 && (int)(who >> 32) != ftsan_sys_getpid())
		(void)atomic_compare_exchange_strong(&speaker, &who, 0);
}

static void look_at(const void *bytes, size_t n)
{
	/* One that shares this memory with its parent is not to change it. */
	if (!ftsan_preload_own())
		return;
	forget_parents();
	if (atomic_load(&speaker) != 0)
		go_on(bytes, n);
	else if (n == BEGINNING)
		begin(bytes);
}

ssize_t ftsan_hook_write(int fd, const void *bytes, size_t n)
{
	if (FTSAN_UNLIKELY(n == BEGINNING ||
			   atomic_load_explicit(&speaker, memory_order_relaxed) != 0))
		look_at(bytes, n);
	return FTSAN_REAL(write)(fd, bytes, n);
}

const char *ftsan_last_words_of_python(void)
{
	return atomic_load(&complete) == ftsan_sys_getpid() ? said : NULL;
}
