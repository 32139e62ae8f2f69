/* Who loads a word that is watched for a window: it is taken for one that was met at a
 * closed page. The load is done by then. */
#include <stddef.h>
#include <string.h>

#include "base/base.h"
#include "decode/decode.h"
#include "statics/store.h"
#include "statics/watched.h"
#include "threads/threads.h"
#include "words/words.h"

static bool learn(struct static_thread *own, const struct static_watched *watched,
		  const void *ucontext)
{
	struct static_store *met = &own->store;
	struct ftsan_watch_insn insn;

	ftsan_decode_before(&insn, ucontext, watched->word.address, watched->word.size);
	if (!ftsan_rule_watch_proves(&insn)) {
		ftsan_count(statics_masked);
		return false;
	}
	/* That was while the page was open for somebody's step. */
	if (insn.writes)
		return false;
	memset(met, 0, offsetof(struct static_store, held));
	memset(&own->insn, 0, sizeof(own->insn));
	met->page = watched->page;
	met->module = static_module_at(
		atomic_load_explicit(&watched->page->module, memory_order_relaxed));
	met->access = watched->word;
	/* What is watched may be a part of it. */
	if (insn.address != 0)
		met->access.address = insn.address;
	if (insn.size != 0)
		met->access.size = insn.size;
	met->access.atomic = insn.locked;
	met->done = true;
	met->pc = ftsan_context_ip(ucontext) - 1;
	met->sp = ftsan_context_sp(ucontext);
	return true;
}

static void meet(struct static_thread *own, struct ftsan_thread *thread,
		 uint32_t generation, const void *ucontext)
{
	struct static_watched watched;

	if (static_watch_tell(generation, &watched) &&
	    static_window_is_at(watched.page) && learn(own, &watched, ucontext) &&
	    static_meet(own, thread, ucontext) == STATIC_MEET_RACED)
		static_window_serve();
}

bool ftsan_statics_watched(const siginfo_t *info, const void *ucontext)
{
	struct ftsan_thread *thread;
	uint32_t generation;

	if (!static_watch_is_hit(info, &generation))
		return false;
	if (generation == 0 || ftsan_watch_is_own_text(ftsan_context_ip(ucontext)))
		return true;
	thread = ftsan_thread_self();
	if (thread != NULL && !ftsan_thread_is_copy(thread) &&
	    static_thread_of(thread)->step.kind == STATIC_STEP_NONE)
		meet(static_thread_of(thread), thread, generation, ucontext);
	return true;
}
