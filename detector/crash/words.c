#include "crash/words.h"

#include <signal.h>
#include <string.h>

#include "base/base.h"
#include "crash/holder.h"
#include "crash/moment.h"
#include "stacks/stacks.h"
#include "view/view.h"

const char *ftsan_signal_name(int signal)
{
	switch (signal) {
	case SIGSEGV:
		return "SIGSEGV";
	case SIGBUS:
		return "SIGBUS";
	case SIGABRT:
		return "SIGABRT";
	case SIGFPE:
		return "SIGFPE";
	case SIGILL:
		return "SIGILL";
	case SIGTRAP:
		return "SIGTRAP";
	default:
		return "a signal";
	}
}

/* One process dies once. */
static struct {
	char title[400];
	char detail[400];
	char place[FTSAN_SYMBOL_MAX + 64];
	char second[FTSAN_SYMBOL_MAX + 64];
} words;

static bool is_libc(const struct ftsan_module *module)
{
	struct ftsan_view_frame frame = {.module = module->path};

	return ftsan_view_is_libc(&frame);
}

/* Where a thread is, when its operation is not known: the first function that is named.
 */
static void native_place(const struct ftsan_stack *stack, struct ftsan_buf *out)
{
	char name[FTSAN_SYMBOL_MAX];

	for (unsigned i = 0; i < stack->n_native; i++) {
		uintptr_t pc = stack->pc[i] - (i > 0);
		const struct ftsan_module *module = ftsan_module_of(pc);

		if (module == NULL || is_libc(module))
			continue;
		if (ftsan_symbol_name(pc, name) == 0) {
			ftsan_buf_str(out, name);
			return;
		}
		ftsan_buf_str(out, ftsan_str_base_name(module->path));
		ftsan_buf_char(out, '+');
		ftsan_buf_hex(out, pc - module->bias);
		return;
	}
	ftsan_buf_str(out,
		      stack->n_python > 0 ? stack->python[0].function : "unknown code");
}

static const char *place_of(const struct ftsan_witness *witness, bool died, char *storage,
			    size_t size)
{
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, storage, size);
	if (witness->doing.name[0] != '\0')
		ftsan_buf_str(&buf, witness->doing.name);
	/* Where in the interpreter it is asked is of no interest. */
	else if (!died && witness->stack.n_python > 0)
		ftsan_buf_str(&buf, witness->stack.python[0].function);
	else
		native_place(&witness->stack, &buf);
	return ftsan_buf_cstr(&buf);
}

static void put_thread(struct ftsan_buf *buf, const struct ftsan_witness *witness)
{
	if (witness->tid == ftsan_sys_getpid()) {
		ftsan_buf_str(buf, "the main thread");
		return;
	}
	ftsan_buf_str(buf, "thread ");
	ftsan_buf_i64(buf, witness->tid);
	if (witness->name[0] != '\0') {
		ftsan_buf_str(buf, " ('");
		ftsan_buf_str(buf, witness->name);
		ftsan_buf_str(buf, "')");
	}
}

static const char *const relation_words[] = {
	[FTSAN_UNRELATED] = "",
	[FTSAN_SAME_MODULE] = " of the same module",
	[FTSAN_SAME_METHOD] = " of another object",
	[FTSAN_SAME_FUNCTION] = ", the same function",
	[FTSAN_SHARED_ARGUMENT] = ", both with the same object",
	[FTSAN_SAME_OBJECT] = " of the same object",
};

static void put_other(struct ftsan_buf *buf, const char *how,
		      const struct ftsan_witness *witness)
{
	ftsan_buf_str(buf, how);
	put_thread(buf, witness);
	ftsan_buf_str(buf, ftsan_moment_waits(&witness->stack) ? " waited for a lock in "
							       : " was in ");
	ftsan_buf_str(buf, place_of(witness, false, words.second, sizeof(words.second)));
}

const char *ftsan_crash_title(const struct ftsan_death *death,
			      const struct ftsan_pairing *pairing)
{
	unsigned first = pairing->first;
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, words.title, sizeof(words.title));
	if (death->signal != 0) {
		ftsan_buf_str(&buf, ftsan_signal_name(death->signal));
	} else {
		ftsan_buf_str(&buf, "no end after ");
		ftsan_buf_u64(&buf, death->seconds);
		ftsan_buf_str(&buf, " s,");
	}
	ftsan_buf_str(&buf, " in ");
	ftsan_buf_str(&buf,
		      place_of(&death->witness[first], true, words.place,
			       sizeof(words.place)));
	if (pairing->second != first)
		put_other(&buf, " while ", &death->witness[pairing->second]);
	if (pairing->third != first)
		put_other(&buf, " and ", &death->witness[pairing->third]);
	if (pairing->second != first)
		ftsan_buf_str(&buf, relation_words[pairing->relation]);
	return ftsan_buf_cstr(&buf);
}

static void put_access(struct ftsan_buf *buf, const struct ftsan_fault *fault)
{
	ftsan_buf_str(buf, fault->access.role == FTSAN_ROLE_WRITE ? "write" : "read");
	if (fault->access.exact) {
		ftsan_buf_str(buf, " of ");
		ftsan_buf_u64(buf, fault->access.size);
		ftsan_buf_str(buf, fault->access.size == 1 ? " byte" : " bytes");
	}
	ftsan_buf_str(buf, " at ");
	ftsan_buf_str(buf, fault->operand);
}

static void put_pointer(struct ftsan_buf *buf, const struct ftsan_fault *fault)
{
	if (fault->reg[0] != '\0') {
		ftsan_buf_str(buf, buf->length > 0 ? ": " : "");
		ftsan_buf_str(buf, fault->reg);
		ftsan_buf_str(buf, " = ");
		ftsan_buf_hex(buf, fault->value);
		ftsan_buf_str(buf, fault->has_freed && fault->freed.filled
					   ? " was loaded from "
					   : " is ");
	} else if (buf->length > 0) {
		ftsan_buf_str(buf, ": ");
	}
	ftsan_buf_str(buf, fault->pointer.text);
}

const char *ftsan_crash_detail(const struct ftsan_death *death,
			       const struct ftsan_fault *fault)
{
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, words.detail, sizeof(words.detail));
	if (fault->facts.fetch)
		ftsan_buf_str(&buf, "a jump to no code");
	else if (fault->has_access)
		put_access(&buf, fault);
	if (fault->pointer.kind != FTSAN_POINTER_NONE)
		put_pointer(&buf, fault);
	if ((death->signal == SIGABRT || death->plain) && death->message != NULL)
		ftsan_buf_str(&buf, death->message);
	if (fault->sender != 0 && !fault->facts.by_itself) {
		ftsan_buf_str(&buf, "sent by process ");
		ftsan_buf_i64(&buf, fault->sender);
	}
	while (buf.length > 0 && buf.text[buf.length - 1] == '\n')
		buf.length--;
	return ftsan_buf_cstr(&buf);
}

static void put_wait(struct ftsan_buf *buf, const struct ftsan_death *death, unsigned i)
{
	struct ftsan_holder holder;

	if (!ftsan_holder_of(&holder, death, i))
		return;
	ftsan_buf_str(buf, buf->length > 0 ? "; " : "");
	put_thread(buf, &death->witness[i]);
	ftsan_buf_str(buf, " waits for the lock at ");
	ftsan_buf_hex(buf, death->witness[i].waits_for);
	ftsan_buf_str(buf, ", which ");
	if (holder.by == i)
		ftsan_buf_str(buf, "it");
	else
		put_thread(buf, &death->witness[holder.by]);
	ftsan_buf_str(buf, holder.sure ? " holds" : " holds, as it seems");
}

const char *ftsan_crash_waits(const struct ftsan_death *death)
{
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, words.detail, sizeof(words.detail));
	for (unsigned i = 0; i < death->n_witnesses; i++)
		put_wait(&buf, death, i);
	return ftsan_buf_cstr(&buf);
}
