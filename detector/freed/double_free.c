#include "freed/double_free.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/base.h"
#include "findings/findings.h"
#include "freed/fill.h"
#include "freed/ring.h"
#include "freed/story.h"
#include "threads/threads.h"

/* The story of one report at a time; too large for any thread's stack. */
static struct ftsan_freed_story story;
static struct ftsan_stack here;
static _Atomic int reporter;

bool ftsan_freed_is_held(uintptr_t address)
{
	const struct ftsan_freed_record *record =
		ftsan_ring_at(ftsan_freed_serial(ftsan_member(address, 0)));
	uintptr_t object;

	if (record == NULL || !atomic_load(&record->held))
		return false;
	object = record->block +
		 (record->object == FTSAN_NO_OBJECT ? 0 : record->object * 8u);
	return address == record->block || address == object;
}

static const char *name_of(const struct ftsan_thread *thread)
{
	return thread != NULL ? thread->name : "";
}

static void tell(uintptr_t address, bool freed)
{
	struct ftsan_thread *thread = ftsan_thread_self();
	struct ftsan_object object;
	struct ftsan_buf buf;
	struct ftsan_incident incident = {
		.kind = FTSAN_KIND_USE_AFTER_FREE,
		.confidence = FTSAN_CONFIRMED,
		.address = address,
		.headline = freed ? "double free"
				  : "double free: a reference too many is given back",
		.object = &object,
		.size = story.bytes,
		.n_parties = 2,
	};

	ftsan_object_clear(&object);
	ftsan_buf_init(&buf, object.description, sizeof(object.description));
	ftsan_freed_describe_block(&story, &buf);
	(void)ftsan_buf_cstr(&buf);
	ftsan_buf_init(&buf, object.subject, sizeof(object.subject));
	ftsan_buf_str(&buf, story.type[0] != '\0' ? story.type : "a buffer");
	(void)ftsan_buf_cstr(&buf);
	if (thread != NULL)
		ftsan_thread_read_name(thread);
	incident.parties[0] = (struct ftsan_party){
		.role = FTSAN_ROLE_FREE,
		.tid = ftsan_sys_gettid(),
		.name = name_of(thread),
		.stack = &here,
	};
	incident.parties[1] = (struct ftsan_party){
		.role = FTSAN_ROLE_FREE,
		.tid = story.tid,
		.name = story.name,
		.stack = &story.stack,
	};
	(void)ftsan_report(&incident);
}

void ftsan_double_free_report(uintptr_t address, bool freed)
{
	int nobody = 0;

	/* A second one at a time is found, and not told. */
	if (!atomic_compare_exchange_strong(&reporter, &nobody, ftsan_sys_gettid()))
		return;
	if (ftsan_freed_find(ftsan_member(address, 0), &story)) {
		ftsan_stack_capture_here(&here);
		tell(address, freed);
	}
	atomic_store(&reporter, 0);
}

void ftsan_double_free_fork_child(void)
{
	atomic_store(&reporter, 0);
}
