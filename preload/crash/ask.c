#include "crash/ask.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/base.h"
#include "process/process.h"
#include "stacks/stacks.h"

enum {
	GUESTS_MAX = 128, /* who are told of; 2.6 MB of room, untouched before */
	TASKS_MAX = 4096, /* who are counted */
	DIRECTORY_BYTES = 4096,
	LOOK_NS = 1000000,
	ASK_AGAIN_NS = 20000000,
	STILL = 20, /* answers from one place; one that sleeps for a moment moves on */
};

enum answer { ASKED, NOT_NOW, ANSWERING, DONE };

/* The caller's, and read by the handlers of its round. Slot 0 is the caller itself. */
static struct {
	_Atomic uint32_t answer[GUESTS_MAX];
	_Atomic int tid[GUESTS_MAX];
	uint64_t asked_ns[GUESTS_MAX];
	_Atomic uint32_t n;
} guests;
/* Where the answers of a round go; the other one has those of the round that is kept. */
static struct ftsan_witness *rooms[2];
static struct ftsan_witness *_Atomic room;
/* Where each stood when it answered for the last time, and for how many answers by now.
 */
static struct {
	uintptr_t sp, pc;
	unsigned times;
} places[GUESTS_MAX];
static struct ftsan_witness alone;
/* One that was given up on was in the middle of its answer. */
static bool still_writes;
static _Atomic uint32_t round_number;
static _Atomic uint32_t answers; /* futex of who waits for them */

bool ftsan_ask_init(void)
{
	for (unsigned i = 0; i < FTSAN_ARRAY_LEN(rooms); i++)
		if (rooms[i] == NULL)
			rooms[i] = ftsan_sys_map(GUESTS_MAX * sizeof(*rooms[i]));
	return rooms[0] != NULL && rooms[1] != NULL;
}

/* --- who is asked ---------------------------------------------------------------------
 */

static void answer(unsigned number, const void *ucontext)
{
	uint32_t asked = ASKED;

	/* The locks of the unwinder are this thread's, perhaps. */
	if (ftsan_stack_walking()) {
		(void)atomic_compare_exchange_strong(&guests.answer[number], &asked,
						     NOT_NOW);
		return;
	}
	if (!atomic_compare_exchange_strong(&guests.answer[number], &asked, ANSWERING))
		return;
	ftsan_witness_take(&atomic_load(&room)[number], ucontext);
	atomic_store(&guests.answer[number], DONE);
	atomic_fetch_add(&answers, 1);
	ftsan_sys_futex_wake(&answers);
}

bool ftsan_ask_signal(int sig, const siginfo_t *info, void *ucontext)
{
	uint32_t number;

	if (!ftsan_signal_is_call(FTSAN_CALLER_DYING, atomic_load(&round_number), sig,
				  info, &number))
		return false;
	/* One of an earlier round came late. */
	if (number < GUESTS_MAX && atomic_load(&guests.tid[number]) == ftsan_sys_gettid())
		answer(number, ucontext);
	return true;
}

void ftsan_ask_answer(const void *ucontext)
{
	uint32_t n = atomic_load(&guests.n);
	int self = ftsan_sys_gettid();

	for (uint32_t i = 1; i < n; i++)
		if (atomic_load(&guests.tid[i]) == self)
			answer(i, ucontext);
}

/* --- who asks -------------------------------------------------------------------------
 */

static void send(unsigned number, int tid)
{
	if (ftsan_signal_call(FTSAN_CALLER_DYING, atomic_load(&round_number), number,
			      tid) != 0)
		atomic_store(&guests.tid[number], 0); /* it is gone */
}

static int number_of(const char *name)
{
	int value = 0;

	for (; *name >= '0' && *name <= '9'; name++)
		value = value * 10 + (*name - '0');
	return *name == '\0' ? value : 0;
}

/* struct linux_dirent64 of getdents64(2). */
struct entry {
	uint64_t inode;
	int64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

static void invite(struct ftsan_asked *out, int tid)
{
	uint32_t n = atomic_load(&guests.n);

	if (tid == 0 || tid == ftsan_sys_gettid() || tid == ftsan_scout_tid())
		return;
	/* One of an earlier round is still at its answer: it will write to that place. */
	while (n < GUESTS_MAX && atomic_load(&guests.answer[n]) == ANSWERING)
		atomic_store(&guests.tid[n++], 0);
	if (n == GUESTS_MAX) {
		atomic_store(&guests.n, n);
		out->untold++;
		return;
	}
	atomic_store(&guests.answer[n], ASKED);
	atomic_store(&guests.tid[n], tid);
	guests.asked_ns[n] = 0;
	atomic_store(&guests.n, n + 1);
}

static void invite_all(struct ftsan_asked *out)
{
	_Alignas(struct entry) char bytes[DIRECTORY_BYTES];
	int fd = ftsan_sys_open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	long n;

	while (fd >= 0 && (n = ftsan_sys_call6(SYS_getdents64, fd, (long)bytes,
					       sizeof(bytes), 0, 0, 0)) > 0)
		for (long at = 0; at < n;) {
			const struct entry *entry = (const void *)(bytes + at);

			if (out->untold < TASKS_MAX)
				invite(out, number_of(entry->name));
			at += entry->length;
		}
	if (fd >= 0)
		(void)ftsan_sys_close(fd);
}

/* How many have not answered; those who could not are asked again. */
static unsigned count_left(uint64_t now)
{
	uint32_t n = atomic_load(&guests.n);
	unsigned left = 0;

	for (uint32_t i = 1; i < n; i++) {
		uint32_t state = atomic_load(&guests.answer[i]);
		int tid = atomic_load(&guests.tid[i]);

		if (state == DONE || tid == 0)
			continue;
		/* It had only just begun, and had not said yet that it is the scout. */
		if (tid == ftsan_scout_tid()) {
			atomic_store(&guests.tid[i], 0);
			continue;
		}
		left++;
		if (state == ANSWERING || (state == ASKED && guests.asked_ns[i] != 0 &&
					   now - guests.asked_ns[i] < ASK_AGAIN_NS))
			continue;
		guests.asked_ns[i] = now;
		atomic_store(&guests.answer[i], ASKED);
		send(i, tid);
	}
	return left;
}

static void wait_for_all(uint64_t deadline)
{
	uint32_t seen = atomic_load(&answers);
	uint64_t now = ftsan_sys_now_ns();

	while (count_left(now) > 0 && now < deadline) {
		(void)ftsan_sys_futex_wait(&answers, seen, now + LOOK_NS);
		seen = atomic_load(&answers);
		now = ftsan_sys_now_ns();
	}
}

/*
 * Puts those who have answered together, in the other room: a thread that is still at its
 * answer writes where nobody looks.
 */
static void gather(struct ftsan_asked *out)
{
	const struct ftsan_witness *from = out->witness;
	uint32_t n = atomic_load(&guests.n);

	still_writes = false;
	if (n > 1 && rooms[1] != NULL) {
		out->witness = rooms[1];
		out->witness[0] = from[0];
	}
	for (uint32_t i = 1; i < n; i++) {
		uint32_t expected = ASKED;
		int tid = atomic_load(&guests.tid[i]);

		if (tid == 0) {
			still_writes |= atomic_load(&guests.answer[i]) == ANSWERING;
			continue;
		}
		if (atomic_load(&guests.answer[i]) == DONE) {
			if (&out->witness[out->n] != &from[i])
				out->witness[out->n] = from[i];
			out->n++;
			continue;
		}
		/* Too late: it must not begin any more. */
		still_writes |= !atomic_compare_exchange_strong(&guests.answer[i],
								&expected, DONE) &&
				expected == ANSWERING;
		if (out->n_silent < FTSAN_SILENT_MAX)
			out->silent[out->n_silent++] = tid;
	}
	atomic_store(&guests.n, 0);
}

void ftsan_ask_all(struct ftsan_asked *out, const void *ucontext, uint64_t wait_ns,
		   bool others)
{
	uint64_t deadline = ftsan_sys_now_ns() + wait_ns;

	*out = (struct ftsan_asked){.witness = rooms[0] != NULL ? rooms[0] : &alone,
				    .n = 1};
	memset(places, 0, sizeof(places));
	atomic_store(&room, rooms[0]);
	atomic_fetch_add(&round_number, 1);
	atomic_store(&guests.n, 1);
	if (rooms[0] != NULL && others) {
		invite_all(out);
		(void)count_left(ftsan_sys_now_ns());
	}
	/* While they come. */
	ftsan_witness_take(&out->witness[0], ucontext);
	if (rooms[0] != NULL && others)
		wait_for_all(deadline);
	gather(out);
}

/* --- once more ------------------------------------------------------------------------
 */

static void note_place(unsigned number, const struct ftsan_witness *witness)
{
	uintptr_t pc = witness->stack.n_native > 0 ? witness->stack.pc[0] : 0;

	if (places[number].sp != witness->sp || places[number].pc != pc)
		places[number].times = 0;
	places[number].times++;
	places[number].sp = witness->sp;
	places[number].pc = pc;
}

/* Takes what came, and the former answers of the others. False: one still writes. */
static bool gather_again(const struct ftsan_asked *before, struct ftsan_asked *out)
{
	for (unsigned i = 1; i < out->n; i++) {
		uint32_t state = atomic_load(&guests.answer[i]);

		/* Too late, as in gather(). */
		while ((state == ASKED || state == NOT_NOW) &&
		       !atomic_compare_exchange_weak(&guests.answer[i], &state, NOT_NOW))
			;
		if (state == ANSWERING)
			return false;
		if (state == DONE && atomic_load(&guests.tid[i]) != 0)
			note_place(i, &out->witness[i]);
		else
			out->witness[i] = before->witness[i];
	}
	return true;
}

bool ftsan_ask_again(const struct ftsan_asked *before, struct ftsan_asked *out,
		     uint64_t wait_ns)
{
	unsigned asked = 0;
	bool whole;

	*out = *before;
	out->witness = before->witness == rooms[0] ? rooms[1] : rooms[0];
	if (out->witness == NULL || before->witness == &alone || before->n < 2 ||
	    still_writes)
		return false;
	out->witness[0] = before->witness[0];
	atomic_fetch_add(&round_number, 1);
	atomic_store(&room, out->witness);
	for (unsigned i = 1; i < out->n; i++) {
		bool ask = places[i].times < STILL;

		asked += ask;
		atomic_store(&guests.answer[i], ASKED);
		atomic_store(&guests.tid[i], ask ? before->witness[i].tid : 0);
		guests.asked_ns[i] = 0;
	}
	if (asked == 0)
		return false;
	atomic_store(&guests.n, out->n);
	wait_for_all(ftsan_sys_now_ns() + wait_ns);
	whole = gather_again(before, out);
	atomic_store(&guests.n, 0);
	return whole;
}
