/*
 * Signals of the program's in the middle of stores that libftsan performs, and threads
 * that are gone in the middle of one. What the program does counts, bare or not.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "scenario.h"

enum { LONG_ENOUGH_MS = 300, ROUNDS = 30 };

static struct fake_array *shared, *others;
static _Atomic int handled;
static _Thread_local sigjmp_buf out;
static _Thread_local volatile sig_atomic_t armed; /* @out is where it can jump to */
static int file = -1;

static void handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction act = {.sa_handler = handler, .sa_flags = flags};

	EXPECT(sigaction(sig, &act, NULL) == 0);
}

static void jump(int sig)
{
	(void)sig;
	if (!armed)
		return;
	handled++;
	siglongjmp(out, 1);
}

static void crash(void)
{
	static int *volatile nowhere = (int *)8;

	if (sigsetjmp(out, 1) == 0) {
		armed = 1;
		*nowhere = 1;
	}
	armed = 0;
}

/* --- signals while a store is performed ------------------------------------------- */

/* Sends the thread a signal every now and then, until the time is over. */
static void bother(pthread_t thread, int sig)
{
	uint64_t until = now_ms() + LONG_ENOUGH_MS;

	while (now_ms() < until) {
		usleep(150);
		EXPECT(pthread_kill(thread, sig) == 0);
	}
	stop = 1;
	join(thread);
}

/* A store of its own, to another sealed page. */
static void store_too(int sig)
{
	(void)sig;
	store(&others->dims[0], load(&others->dims[0]) + 1);
	handled++;
}

static void *count_up(void *unused)
{
	int64_t n = load(&shared->dims[0]);

	while (!stop) {
		store(&shared->dims[0], ++n);
		EXPECT(load(&shared->dims[0]) == n);
	}
	return unused;
}

static void interrupted(void)
{
	shared = shown_array(2, 1);
	others = shown_array(2, 0);
	handle(SIGUSR1, store_too, SA_RESTART);
	bother(start(count_up, NULL), SIGUSR1);
	EXPECT(handled > 0 && load(&others->dims[0]) == handled);
	EXPECT(load(&shared->dims[1]) == 1 && load(&others->dims[1]) == 0);
}

/* The store before the jump was made or was not; those behind it all are. */
static void *count_up_and_jump(void *unused)
{
	volatile int64_t n = load(&shared->dims[0]);

	if (sigsetjmp(out, 1) != 0)
		EXPECT(load(&shared->dims[0]) == n || load(&shared->dims[0]) == n - 1);
	armed = 1;
	while (!stop) {
		n = n + 1;
		store(&shared->dims[0], n);
	}
	armed = 0;
	return unused;
}

static void jumps(void)
{
	shared = shown_array(2, 1);
	handle(SIGUSR1, jump, 0);
	bother(start(count_up_and_jump, NULL), SIGUSR1);
	EXPECT(handled > 0 && load(&shared->dims[1]) == 1);
	store(&shared->dims[1], 4);
	EXPECT(load(&shared->dims[1]) == 4);
}

/* --- instructions that fault themselves ------------------------------------------- */

static void extend(int sig)
{
	(void)sig;
	EXPECT(ftruncate(file, 4096) == 0);
	handled++;
}

static void *cut_off(void *unused)
{
	while (!stop) {
		EXPECT(ftruncate(file, 0) == 0);
		usleep(50);
	}
	return unused;
}

/* The source's page goes away at any moment: the program puts it back and goes on. */
static void source_is_gone(void)
{
	uint64_t until = now_ms() + LONG_ENOUGH_MS;
	pthread_t thread;
	int64_t *source;

	file = memfd_create("source", MFD_CLOEXEC);
	EXPECT(file >= 0);
	source = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
	EXPECT(source != MAP_FAILED);
	handle(SIGBUS, extend, 0);
	thread = start(cut_off, NULL);
	shared = shown_array(2, 1);
	while (now_ms() < until) {
		void *to = &shared->dims[0], *from = source;

		store(&shared->dims[0], 5);
		__asm__ volatile("movsq" : "+D"(to), "+S"(from) : : "memory");
		EXPECT(load(&shared->dims[0]) == 0 && to == &shared->dims[1]);
	}
	stop = 1;
	join(thread);
	EXPECT(handled > 0 && load(&shared->dims[1]) == 1);
}

/* Its own exception comes before the store, which is then not made. */
static void exception_first(void)
{
	static const unsigned short unmasked = 0x37e;

	handle(SIGFPE, jump, 0);
	for (int i = 0; i < ROUNDS; i++) {
		shared = shown_array(2, 1);
		armed = 1;
		if (sigsetjmp(out, 1) == 0)
			__asm__ volatile(
				"fninit; fldcw %1; fldz; fldz; fdivrp; fistpll %0"
				: "=m"(shared->dims[0])
				: "m"(unmasked));
		__asm__ volatile("fninit");
		EXPECT(handled == i + 1 && load(&shared->dims[0]) == 1);
		store(&shared->dims[0], 2);
		EXPECT(load(&shared->dims[0]) == 2);
		numpy->destroy(shared);
	}
}

/* --- handlers that come late ------------------------------------------------------ */

static void *read_on(void *unused)
{
	while (!stop)
		(void)load(&shared->dims[0]);
	return unused;
}

static void race_until_found(void)
{
	uint64_t until = now_ms() + 10000;
	pthread_t thread;

	shared = numpy->create(2, 1, 0);
	stop = 0;
	thread = start(read_on, NULL);
	while (!found_here() && now_ms() < until) {
		for (int i = 0; i < 50; i++) {
			store(&shared->dims[0], 3);
			store(&shared->dims[0], 1);
			usleep(100);
		}
	}
	stop = 1;
	join(thread);
}

/* As a library does that installs handlers when it is first used. */
static void late_handlers(void)
{
	others = shown_array(2, 7);
	handle(SIGSEGV, jump, SA_NODEFER);
	handle(SIGTRAP, jump, SA_NODEFER);
	race_until_found();
	store(&others->dims[0], 9);
	EXPECT(handled == 0 && load(&others->dims[0]) == 9);
	crash();
	EXPECT(handled == 1);
	handle(SIGSEGV, SIG_DFL, 0);
	store(&others->dims[1], 9);
	handle(SIGSEGV, jump, 0);
	crash();
	EXPECT(handled == 2 && load(&others->dims[1]) == 9);
}

/* --- threads and libraries that are gone ------------------------------------------ */

static void *store_until_cancelled(void *unused)
{
	int64_t n = 0;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;)
		store(&shared->dims[0], ++n);
	return unused;
}

/* Asynchronously, so at any instruction but those of libftsan's. */
static void cancelled(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_t thread;

		shared = shown_array(2, 1);
		thread = start(store_until_cancelled, NULL);
		pause_ms(2);
		EXPECT(pthread_cancel(thread) == 0);
		join(thread);
		store(&shared->dims[0], -1);
		EXPECT(load(&shared->dims[0]) == -1 && load(&shared->dims[1]) == 1);
		numpy->destroy(shared);
	}
}

static void *store_and_end(void *unused)
{
	store(&shared->dims[0], 3);
	return unused;
}

/* The thread that opened the window has ended when the other one goes on. */
static void exit_in_window(void)
{
	for (int i = 0; i < 200 && !found_here(); i++) {
		pthread_t reader, writer;

		shared = shown_array(2, 1);
		stop = 0;
		reader = start(read_on, NULL);
		writer = start(store_and_end, NULL);
		join(writer);
		EXPECT(load(&shared->dims[0]) == 3);
		stop = 1;
		join(reader);
		numpy->destroy(shared);
	}
}

/*
 * CPython never does that to an extension. What is in the arena stays good; the arrays of
 * the second copy, whose type is not known, are left out.
 */
static void reload(void)
{
	static const char name[] = "_multiarray_umath.so";
	pthread_t thread;

	others = shown_array(2, 7);
	for (int i = 0; i < 3; i++) {
		void *library = dlopen(name, RTLD_NOW | RTLD_NOLOAD);

		EXPECT(library != NULL);
		dlclose(library);
		dlclose(library);
		import_numpy();
		store(&others->dims[0], i);
		EXPECT(load(&others->dims[0]) == i && load(&others->dims[1]) == 7);
	}
	shared = numpy->create(2, 1, 0);
	thread = start(count_up, NULL);
	pause_ms(20);
	stop = 1;
	join(thread);
	numpy->destroy(shared);
	numpy->destroy(others);
}

int main(int argc, char **argv)
{
	static const struct scenario_case cases[] = {
		{"interrupted", interrupted},
		{"jumps", jumps},
		{"source_is_gone", source_is_gone},
		{"exception_first", exception_first},
		{"late_handlers", late_handlers},
		{"cancelled", cancelled},
		{"exit_in_window", exit_in_window},
		{"reload", reload},
		{0},
	};

	return run_case(cases, argc, argv);
}
