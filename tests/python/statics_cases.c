/*
 * Programs about the statics of a module, in pairs: NAME keeps to the rules and must
 * never be reported, bad_NAME does the same without and must be. Each call is one
 * operation; any number of threads may make it.
 *
 * Two words that belong together are updated: a value and its copy.
 */
#define _GNU_SOURCE
#include "module.h"

#include <aio.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <mqueue.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

struct state {
	volatile unsigned long value;
	volatile unsigned long copy;
};

static void update(struct state *state)
{
	unsigned long next = state->value * 3 + 1;

	state->value = next;
	state->copy = next;
}

#define CASE(name) static PyObject *name(PyObject *self, PyObject *unused)

/* --- locks ------------------------------------------------------------------------- */

static struct state mutex_state, bad_mutex_state;
static pthread_mutex_t mutex_lock = PTHREAD_MUTEX_INITIALIZER;

CASE(mutex)
{
	RELEASED(pthread_mutex_lock(&mutex_lock); update(&mutex_state);
		 pthread_mutex_unlock(&mutex_lock));
}

CASE(bad_mutex)
{
	RELEASED(update(&bad_mutex_state));
}

CASE(bad_local)
{
	static struct state bad_local_state;

	RELEASED(update(&bad_local_state));
}

/*
 * Two threads that come here together: each goes on when the other is there. Where they
 * meet is no static, so that nothing is held up before both are at what is one.
 */
static struct state bad_together_state;
static _Atomic unsigned *both_are_there;

static void wait_for_the_other(void)
{
	unsigned pair = atomic_fetch_add(both_are_there, 1) / 2;

	/* Bounded: the other one may have no calls left. */
	for (unsigned i = 0; atomic_load(both_are_there) / 2 <= pair && i < 20000; i++)
		sched_yield();
}

CASE(bad_together)
{
	RELEASED(wait_for_the_other(); update(&bad_together_state));
}

/*
 * A generator: many words are stored to under the GIL, where there is one, then some of them
 * once it is let go.
 */
enum { SEEDED = 1024, DRAWS = 5000 };
static volatile unsigned long seeded[SEEDED], bad_seeded_words[SEEDED];
static pthread_mutex_t seeded_lock = PTHREAD_MUTEX_INITIALIZER;

static void seed(volatile unsigned long *words)
{
	for (unsigned long i = 0; i < SEEDED; i++)
		words[i] = i * 3 + 1;
}

static void draw(volatile unsigned long *words)
{
	for (unsigned i = 0; i < DRAWS; i++) {
		unsigned long next = words[0] * 5 + 1;

		words[0] = next;
		words[1] = next ^ 7;
	}
}

CASE(seeded_draw)
{
	pthread_mutex_lock(&seeded_lock);
	seed(seeded);
	pthread_mutex_unlock(&seeded_lock);
	RELEASED(pthread_mutex_lock(&seeded_lock); draw(seeded);
		 pthread_mutex_unlock(&seeded_lock));
}

CASE(bad_seeded)
{
	seed(bad_seeded_words);
	RELEASED(draw(bad_seeded_words));
}

static struct state rwlock_state, bad_rwlock_state;
static pthread_rwlock_t rwlock_lock = PTHREAD_RWLOCK_INITIALIZER;

CASE(rwlock)
{
	RELEASED(pthread_rwlock_wrlock(&rwlock_lock); update(&rwlock_state);
		 pthread_rwlock_unlock(&rwlock_lock));
}

/* The wrong lock: another one each time. */
CASE(bad_rwlock)
{
	static pthread_rwlock_t locks[2] = {PTHREAD_RWLOCK_INITIALIZER,
					    PTHREAD_RWLOCK_INITIALIZER};
	static _Atomic unsigned turn;
	pthread_rwlock_t *lock = &locks[atomic_fetch_add(&turn, 1) % 2];

	RELEASED(pthread_rwlock_wrlock(lock); update(&bad_rwlock_state);
		 pthread_rwlock_unlock(lock));
}

static struct state spin_state, bad_spin_state;
static pthread_spinlock_t spin_lock;

CASE(spin)
{
	RELEASED(pthread_spin_lock(&spin_lock); update(&spin_state);
		 pthread_spin_unlock(&spin_lock));
}

/* Given back too early. */
CASE(bad_spin)
{
	RELEASED(pthread_spin_lock(&spin_lock); pthread_spin_unlock(&spin_lock);
		 update(&bad_spin_state));
}

/* A lock of its own making, inlined. */
static struct state word_state, bad_word_state;
static atomic_int word_lock;

CASE(word)
{
	int free = 0;

	RELEASED(while (!atomic_compare_exchange_weak(&word_lock, &free, 1)) free = 0;
		 update(&word_state);
		 atomic_store_explicit(&word_lock, 0, memory_order_release));
}

CASE(bad_word)
{
	int free = 0;

	/* Tried, and whether it worked is not looked at. */
	(void)atomic_compare_exchange_strong(&word_lock, &free, 1);
	atomic_store_explicit(&word_lock, 0, memory_order_release);
	RELEASED(update(&bad_word_state));
}

static struct state pythread_state, bad_pythread_state;
static PyThread_type_lock pythread_lock;

CASE(pythread)
{
	RELEASED(PyThread_acquire_lock(pythread_lock, WAIT_LOCK); update(&pythread_state);
		 PyThread_release_lock(pythread_lock));
}

CASE(bad_pythread)
{
	RELEASED(update(&bad_pythread_state));
}

#if PY_VERSION_HEX >= 0x030d0000
static struct state pymutex_state;
static PyMutex pymutex_lock;

CASE(pymutex)
{
	PyMutex_Lock(&pymutex_lock);
	update(&pymutex_state);
	PyMutex_Unlock(&pymutex_lock);
	Py_RETURN_NONE;
}

static struct state section_state;

CASE(section)
{
	Py_BEGIN_CRITICAL_SECTION(self);
	update(&section_state);
	Py_END_CRITICAL_SECTION();
	Py_RETURN_NONE;
}
#endif

/* --- once -------------------------------------------------------------------------- */

static struct state once_state, bad_once_state;
static pthread_once_t once_control = PTHREAD_ONCE_INIT;

static void fill_once(void)
{
	once_state.value = once_state.copy = 7;
}

CASE(once)
{
	RELEASED(pthread_once(&once_control, fill_once));
}

CASE(bad_once)
{
	static volatile int done;

	RELEASED(if (!done) {
		bad_once_state.value = bad_once_state.copy = 7;
		done = 1;
	});
}

static struct state called_state;
static once_flag called_control = ONCE_FLAG_INIT;

static void fill_called(void)
{
	called_state.value = called_state.copy = 7;
}

CASE(called)
{
	RELEASED(call_once(&called_control, fill_called));
}

/* --- atomics ------------------------------------------------------------------------ */

static atomic_ulong counters[4];

CASE(atomics)
{
	unsigned long seen;

	RELEASED(atomic_fetch_add(&counters[0], 1);
		 atomic_fetch_add_explicit(&counters[1], 1, memory_order_relaxed);
		 seen = atomic_load_explicit(&counters[2], memory_order_acquire);
		 atomic_store_explicit(&counters[2], seen + 1, memory_order_release);
		 atomic_exchange(&counters[3], seen));
}

static volatile unsigned long bad_counters[4];

CASE(bad_atomics)
{
	RELEASED(bad_counters[0]++; bad_counters[1] += 2);
}

/* A pointer that is made by whoever comes first, and published by a compare-and-swap. */
static _Atomic(char *) published;

CASE(publish)
{
	char *made, *nothing = NULL;

	if (atomic_load_explicit(&published, memory_order_acquire) != NULL)
		Py_RETURN_NONE;
	made = malloc(16);
	if (!atomic_compare_exchange_strong(&published, &nothing, made))
		free(made);
	Py_RETURN_NONE;
}

static char *volatile bad_published;

CASE(bad_publish)
{
	if (bad_published == NULL)
		bad_published = malloc(16);
	Py_RETURN_NONE;
}

/*
 * What is made under a lock when first needed, and looked for without: C's acquire and
 * release are plain moves here. On pages of their own, which may be closed.
 */
enum { MADE = 256 };
struct made {
	volatile unsigned long first, second;
	_Atomic unsigned long ready;
};
static _Alignas(4096) struct made all_made[MADE];
static _Alignas(4096) struct made all_bad_made[MADE];
static _Alignas(4096) _Atomic(const unsigned long *) current;
static _Thread_local unsigned made_turn, current_turn;

static void make(struct made *made, unsigned long value)
{
	if (atomic_load_explicit(&made->ready, memory_order_acquire) != 0)
		return;
	made->first = value;
	made->second = value + 1;
	atomic_store_explicit(&made->ready, 1, memory_order_release);
}

CASE(double_checked)
{
	struct made *made = &all_made[made_turn++ % MADE];

	Py_BEGIN_ALLOW_THREADS;
	if (atomic_load_explicit(&made->ready, memory_order_acquire) == 0) {
		pthread_mutex_lock(&mutex_lock);
		make(made, made_turn);
		pthread_mutex_unlock(&mutex_lock);
	}
	Py_END_ALLOW_THREADS;
	return PyLong_FromUnsignedLong(made->first + made->second);
}

CASE(bad_double_checked)
{
	unsigned long mine = (unsigned long)pthread_self() >> 12;

	RELEASED(make(&all_bad_made[made_turn++ % MADE], mine));
}

/* Stored under a lock, and loaded without. */
static unsigned long table[64];

CASE(replaced)
{
	const unsigned long *at;

	Py_BEGIN_ALLOW_THREADS;
	pthread_mutex_lock(&mutex_lock);
	atomic_store_explicit(&current, &table[current_turn++ % 64],
			      memory_order_release);
	pthread_mutex_unlock(&mutex_lock);
	at = atomic_load_explicit(&current, memory_order_acquire);
	Py_END_ALLOW_THREADS;
	return PyLong_FromUnsignedLong(*at);
}

/* Two threads hand words on by a flag, and each touches them only when it is its turn. What
 * one of them counts afterwards is another variable, and its own. */
static _Alignas(4096) struct {
	volatile unsigned long first, second;
	_Atomic unsigned long full;
} message_box;
static _Alignas(4096) volatile unsigned long message_sent;
static _Atomic unsigned *arrivals;
static _Thread_local unsigned message_role;

CASE(message)
{
	unsigned long full, sum = 0;

	if (message_role == 0)
		message_role = 1 + atomic_fetch_add(arrivals, 1);
	Py_BEGIN_ALLOW_THREADS;
	full = atomic_load_explicit(&message_box.full, memory_order_acquire);
	if (message_role == 1 && full == 0) {
		message_box.first = message_box.second + 3;
		message_box.second = message_box.first + 5;
		atomic_store_explicit(&message_box.full, message_box.second,
				      memory_order_release);
		message_sent = message_sent + 1;
	} else if (message_role == 2 && full != 0) {
		sum = message_box.first + message_box.second;
		atomic_store_explicit(&message_box.full, 0, memory_order_release);
	}
	Py_END_ALLOW_THREADS;
	return PyLong_FromUnsignedLong(sum);
}

/*
 * Next to a lock of libc, which the kernel looks at: the page can't be closed, so that who
 * only loads comes to no trap. The first thread stores, the others load.
 */
static _Alignas(4096) struct {
	pthread_mutex_t lock;
	struct state locked, bare, beside;
	_Alignas(16) struct state alone;
	_Atomic(const unsigned long *) released;
	char rest[2048];
} lock_page = {.lock = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local unsigned lock_page_role;

static bool lock_page_stores(void)
{
	if (lock_page_role == 0)
		lock_page_role = 1 + atomic_fetch_add(arrivals + 2, 1);
	/* Libc's own stores: it is known that there is a lock, and that threads share it. */
	pthread_mutex_lock(&lock_page.lock);
	pthread_mutex_unlock(&lock_page.lock);
	return lock_page_role == 1;
}

static unsigned long load_often(const volatile unsigned long *word)
{
	unsigned long sum = 0;

	for (unsigned i = 0; i < 2000; i++) {
		sum += *word;
		sched_yield();
	}
	return sum;
}

CASE(bad_lock_page)
{
	bool stores;

	RELEASED(stores = lock_page_stores(); wait_for_the_other();
		 if (stores) update(&lock_page.bare);
		 else load_often(&lock_page.bare.value));
}

CASE(lock_page_locked)
{
	RELEASED(bool stores = lock_page_stores(); pthread_mutex_lock(&lock_page.lock);
		 if (stores) update(&lock_page.locked);
		 else load_often(&lock_page.locked.value);
		 pthread_mutex_unlock(&lock_page.lock));
}

/* What another thread loads is next to what is stored. */
CASE(lock_page_beside)
{
	RELEASED(bool stores = lock_page_stores(); wait_for_the_other();
		 if (stores) update(&lock_page.beside);
		 else load_often(&lock_page.alone.value));
}

CASE(lock_page_released)
{
	const unsigned long *at;

	Py_BEGIN_ALLOW_THREADS;
	lock_page_stores();
	pthread_mutex_lock(&lock_page.lock);
	atomic_store_explicit(&lock_page.released, &table[current_turn++ % 64],
			      memory_order_release);
	pthread_mutex_unlock(&lock_page.lock);
	for (unsigned i = 0; i < 200; i++)
		at = atomic_load_explicit(&lock_page.released, memory_order_acquire);
	Py_END_ALLOW_THREADS;
	return PyLong_FromUnsignedLong(*at);
}

/* --- no sharing --------------------------------------------------------------------- */

static _Thread_local struct state local_state;

CASE(local)
{
	RELEASED(update(&local_state));
}

/* A table that is filled when the module is made, and only read later: above. */

CASE(before)
{
	return PyLong_FromUnsignedLong(table[table[1] % 64]);
}

CASE(bad_before)
{
	for (unsigned i = 0; i < 64; i++)
		((volatile unsigned long *)table)[i] = i * i + 1;
	Py_RETURN_NONE;
}

/* Handed on by a semaphore: whoever has waited owns it until somebody posts. */
static struct state handed_state;
static sem_t handed_to;

CASE(handover)
{
	RELEASED(sem_wait(&handed_to); update(&handed_state); sem_post(&handed_to));
}

/* Protected by a lock of the Python code around it (see test_statics.py). */
static struct state caller_state;

CASE(by_caller)
{
	update(&caller_state);
	Py_RETURN_NONE;
}

/* Protected by a Python lock that it takes through code of another module. */
static struct state helped_state;
static PyObject *helped_lock;
static int (*help)(PyObject *, int);

CASE(helped)
{
	if (help == NULL || help(helped_lock, 1) != 0)
		return NULL;
	update(&helped_state);
	return help(helped_lock, 0) == 0 ? Py_NewRef(Py_None) : NULL;
}

/* A pointer that is given another value with the old one in use. */
static char *volatile name_in_use;

CASE(bad_replace)
{
	char *old = name_in_use;

	name_in_use = malloc(32);
	free(old);
	Py_RETURN_NONE;
}

/* What lies on a page together, and how the kernel gets at it. */
static char buffer[64];
static pthread_mutex_t robust;

CASE(kernel)
{
	int ends[2];
	ssize_t n = -1;

	if (pipe(ends) != 0)
		return PyErr_SetFromErrno(PyExc_OSError);
	if (write(ends[1], "0123456789", 10) == 10)
		n = read(ends[0], buffer, sizeof(buffer));
	close(ends[0]);
	close(ends[1]);
	return n < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromSsize_t(n);
}

/* Results that the kernel writes to a sealed page; each function is called once in a
 * page's life, for the call before it may have left the page open. Return: what came, or
 * -errno. */
static union {
	char bytes[4096];
	int ends[2];
	struct stat stat;
	struct timespec time;
	struct epoll_event event;
	struct pollfd poll;
	struct sigaction action;
	struct rusage usage;
	int value;
	_Atomic int word;
	fd_set set;
	sigset_t signals;
	struct timeval interval[2];
	struct sockaddr_storage address;
	pid_t pid;
	struct flock lock;
	struct mmsghdr messages[1];
	siginfo_t info;
	sigjmp_buf jump;
	ucontext_t context;
} into __attribute__((aligned(4096)));

/* A page that was opened is sealed again by then: a call that opens another one sees to
 * it. */
static void sleep_until_sealed(void)
{
	static char another[4096] __attribute__((aligned(4096)));
	struct timespec pause = {0, 120000000};

	nanosleep(&pause, NULL);
	clock_gettime(CLOCK_MONOTONIC, (struct timespec *)another);
}

static long kernel_read(int fd)
{
	return read(fd, into.bytes, 4);
}
/* What read() is where the compiler knows the buffer (_FORTIFY_SOURCE). */
extern ssize_t __read_chk(int fd, void *to, size_t n, size_t room);
static long kernel_checked_read(int fd)
{
	return fd < 0 ? 0 : __read_chk(fd, into.bytes, 4, sizeof(into.bytes));
}
static long kernel_pread(int fd)
{
	return fd < 0 ? 0 : pread(fd, into.bytes, 4, 0);
}
static long kernel_readv(int fd)
{
	struct iovec vector = {into.bytes, 4};

	return readv(fd, &vector, 1);
}
static long kernel_recv(int fd)
{
	return recv(fd, into.bytes, 4, 0);
}
static long kernel_recvmsg(int fd)
{
	struct iovec vector = {into.bytes, 4};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

	return recvmsg(fd, &message, 0);
}
static long kernel_getsockopt(int fd)
{
	socklen_t length = sizeof(into.value);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &into.value, &length);
}
static long kernel_getsockname(int fd)
{
	socklen_t length = sizeof(into.address);

	return getsockname(fd, (struct sockaddr *)&into.address, &length);
}
static long kernel_fionread(int fd)
{
	return ioctl(fd, FIONREAD, &into.word);
}
static long kernel_fstat(int fd)
{
	return fstat(fd, &into.stat);
}
static long kernel_stat(int fd)
{
	return fd < 0 ? 0 : stat("/", &into.stat);
}
static long kernel_clock(int fd)
{
	return fd < 0 ? 0 : clock_gettime(CLOCK_THREAD_CPUTIME_ID, &into.time);
}
static long kernel_getrandom(int fd)
{
	return fd < 0 ? 0 : getrandom(into.bytes, 16, 0);
}
static long kernel_number(int fd)
{
	return fd < 0 ? 0 : syscall(SYS_getrandom, into.bytes, 16L, 0L);
}
static long kernel_epoll(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(0), n;

	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	n = epoll_wait(epoll, &into.event, 1, 0);
	close(epoll);
	return n;
}
static long kernel_poll(int fd)
{
	into.poll.fd = fd;
	into.poll.events = POLLIN;
	return poll(&into.poll, 1, 0);
}
static long kernel_select(int fd)
{
	struct timeval none = {0, 0};

	FD_ZERO(&into.set);
	FD_SET(fd, &into.set);
	return select(fd + 1, &into.set, NULL, NULL, &none);
}
static long kernel_sigaction(int fd)
{
	return fd < 0 ? 0 : sigaction(SIGUSR1, NULL, &into.action);
}
static long kernel_sigmask(int fd)
{
	return fd < 0 ? 0 : pthread_sigmask(SIG_BLOCK, NULL, &into.signals);
}
static long kernel_rusage(int fd)
{
	return fd < 0 ? 0 : getrusage(RUSAGE_SELF, &into.usage);
}
static long kernel_itimer(int fd)
{
	return fd < 0 ? 0 : getitimer(ITIMER_REAL, (struct itimerval *)into.interval);
}
static long kernel_pipe2(int fd)
{
	int result = fd < 0 ? 0 : pipe2(into.ends, O_CLOEXEC);

	if (result == 0 && fd >= 0) {
		close(into.ends[0]);
		close(into.ends[1]);
	}
	return result;
}
static long kernel_futex(int fd)
{
	struct timespec none = {0, 1000};

	/* Waits for a moment where the word is as expected. */
	if (fd < 0 || syscall(SYS_futex, &into.word, FUTEX_WAIT, 0, &none, NULL, 0) == 0)
		return 0;
	return errno == ETIMEDOUT || errno == EAGAIN ? 0 : -1;
}

/* What comes when the page would have been sealed again. */
static const struct timespec long_after = {0, 300000000};

static void *write_late(void *end)
{
	nanosleep(&long_after, NULL);
	if (write(*(int *)end, "late", 4) != 4)
		perror("write");
	return NULL;
}
static long when_late(long (*call)(int fd))
{
	int ends[2];
	pthread_t writer;
	long result;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 ||
	    pthread_create(&writer, NULL, write_late, &ends[1]) != 0)
		return -1;
	result = call(ends[0]);
	pthread_join(writer, NULL);
	close(ends[0]);
	close(ends[1]);
	return result;
}
static long wait_for_event(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(0), n;

	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	n = epoll_wait(epoll, &into.event, 1, -1);
	close(epoll);
	return n;
}
static long kernel_late_read(int fd)
{
	return fd < 0 ? 0 : when_late(kernel_read);
}
static long kernel_late_recvmsg(int fd)
{
	return fd < 0 ? 0 : when_late(kernel_recvmsg);
}
static long kernel_late_epoll(int fd)
{
	return fd < 0 ? 0 : when_late(wait_for_event);
}
static long kernel_spawn(int fd)
{
	static char *const arguments[] = {"true", NULL};
	int status = 0;

	if (fd < 0 || posix_spawnp(&into.pid, "true", NULL, NULL, arguments, environ) != 0)
		return -1;
	return waitpid(into.pid, &status, 0) == into.pid ? status : -1;
}

/* The kernel keeps things in a thread's stack. */
static void *update_into(void *unused)
{
	struct timespec moment = {0, 1000000};

	(void)unused;
	into.bytes[0]++;
	nanosleep(&moment, NULL);
	return into.bytes;
}
static long kernel_stack(int fd)
{
	static char stack[65536] __attribute__((aligned(4096)));
	pthread_attr_t attributes;
	pthread_t thread;
	void *result = NULL;

	if (fd < 0 || pthread_attr_init(&attributes) != 0 ||
	    pthread_attr_setstack(&attributes, stack, sizeof(stack)) != 0 ||
	    pthread_create(&thread, &attributes, update_into, NULL) != 0)
		return -1;
	pthread_join(thread, &result);
	return result == into.bytes;
}

/* Who comes back has the mask of before: SIGUSR2 is not blocked. */
static long kernel_sigsetjmp(int fd)
{
	sigset_t set;

	if (fd < 0)
		return 0;
	if (sigsetjmp(into.jump, 1) == 0) {
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
		siglongjmp(into.jump, 1);
	}
	pthread_sigmask(SIG_BLOCK, NULL, &set);
	return sigismember(&set, SIGUSR2);
}
static long kernel_getcontext(int fd)
{
	volatile int times = 0;

	if (fd < 0 || getcontext(&into.context) != 0)
		return -1;
	if (times++ == 0)
		setcontext(&into.context);
	return times;
}

static long kernel_getlk(int fd)
{
	int file = fd < 0 ? -1 : open("/dev/null", O_RDWR);
	long result;

	into.lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
	sleep_until_sealed();
	result = fcntl(file, F_GETLK, &into.lock);
	close(file);
	return result == 0 ? into.lock.l_type == F_UNLCK : result;
}
static long kernel_recvmmsg(int fd)
{
	struct iovec vector = {into.bytes + 2048, 2};

	into.messages[0].msg_hdr =
		(struct msghdr){.msg_iov = &vector, .msg_iovlen = 1};
	sleep_until_sealed();
	return recvmmsg(fd, into.messages, 1, 0, NULL) == 1 ? into.messages[0].msg_len
							     : -1;
}
static long kernel_msgrcv(int fd)
{
	struct {
		long type;
		char text[4];
	} message = {1, "abc"};
	int queue = fd < 0 ? -1 : msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	long result = -1;

	if (msgsnd(queue, &message, 4, 0) == 0)
		result = msgrcv(queue, into.bytes, 4, 0, 0);
	msgctl(queue, IPC_RMID, NULL);
	return result;
}
static long kernel_queue(int fd)
{
	struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
	char name[64];
	mqd_t queue;
	long result;

	snprintf(name, sizeof(name), "/statics-%d", (int)getpid());
	queue = fd < 0 ? -1 : mq_open(name, O_RDWR | O_CREAT, 0600, &attributes);
	/* Not there in every kernel. */
	if (queue < 0)
		return 4;
	mq_unlink(name);
	result = mq_send(queue, "abc", 4, 1) == 0 ? mq_receive(queue, into.bytes, 8, NULL)
						  : -1;
	mq_close(queue);
	return result;
}
static int open_file(void)
{
	int file = open("/proc/self/exe", O_RDONLY);

	if (file < 0)
		perror("/proc/self/exe");
	return file;
}
static long kernel_preadv2(int fd)
{
	struct iovec vector = {into.bytes, 4};
	int file = fd < 0 ? -1 : open_file();
	long result = preadv2(file, &vector, 1, 0, 0);

	close(file);
	return result;
}
/* More than the page that its address is on. */
static char two_pages[8192] __attribute__((aligned(4096)));
static long kernel_long_number(int fd)
{
	int file = fd < 0 ? -1 : open_file();
	long result = syscall(SYS_read, (long)file, two_pages, (long)sizeof(two_pages));

	close(file);
	return result;
}
static long kernel_vector_number(int fd)
{
	struct iovec vector = {into.bytes, 4};
	int file = fd < 0 ? -1 : open_file();
	long result = syscall(SYS_readv, (long)file, &vector, 1L);

	close(file);
	return result;
}
static long kernel_directory(int fd)
{
	int directory = fd < 0 ? -1 : open("/proc/self", O_RDONLY | O_DIRECTORY);
	long result = getdents64(directory, into.bytes, 1024);

	close(directory);
	return result > 0;
}
static long kernel_name(int fd)
{
	char *at = into.bytes + 100;

	if (fd < 0 || prctl(PR_GET_NAME, at) != 0)
		return -1;
	return at[0] != '\0';
}
static long kernel_waitid(int fd)
{
	pid_t child = fd < 0 ? -1 : fork();

	if (child == 0)
		_exit(3);
	return waitid(P_PID, (id_t)child, &into.info, WEXITED) == 0 ? into.info.si_status
								    : -1;
}
static long kernel_usage(int fd)
{
	pid_t child = fd < 0 ? -1 : fork();
	int status = 0;

	if (child == 0)
		_exit(4);
	return wait4(child, &status, 0, &into.usage) == child ? WEXITSTATUS(status) : -1;
}
/* The buffer of a stream: libc has the kernel write to it, time and again. */
static char stream_buffer[4096] __attribute__((aligned(4096)));
static long kernel_stream(int fd)
{
	FILE *file = fd < 0 ? NULL : fopen("/proc/self/exe", "r");
	long bytes = 0;

	if (file == NULL || setvbuf(file, stream_buffer, _IOFBF, sizeof(stream_buffer)) != 0)
		return -1;
	while (bytes < 10000 && fgetc(file) != EOF)
		if (++bytes == 5000)
			sleep_until_sealed();
	fclose(file);
	return bytes;
}
/* A thread of libc's reads, and writes to what tells of it. */
static struct {
	struct aiocb control;
	char bytes[64];
} asynchronous __attribute__((aligned(4096)));
static long kernel_aio(int fd)
{
	int file = fd < 0 ? -1 : open_file();
	long result;

	asynchronous.control = (struct aiocb){.aio_fildes = file,
					      .aio_buf = asynchronous.bytes,
					      .aio_nbytes = 16};
	sleep_until_sealed();
	if (aio_read(&asynchronous.control) != 0)
		return -1;
	while (aio_error(&asynchronous.control) == EINPROGRESS)
		sched_yield();
	errno = aio_error(&asynchronous.control);
	result = aio_return(&asynchronous.control);
	close(file);
	return result;
}

static long kernel_window(int fd)
{
	int terminal = fd < 0 ? -1 : open("/dev/ptmx", O_RDWR | O_NOCTTY);
	long result = ioctl(terminal, TIOCGWINSZ, into.bytes);

	close(terminal);
	return result;
}
/* What an ioctl's structure points at: "lo" is there, or nothing. */
static long interfaces(long (*call)(int socket, struct ifconf *list))
{
	struct ifconf list = {.ifc_len = sizeof(into.bytes), .ifc_buf = into.bytes};
	int inet = socket(AF_INET, SOCK_DGRAM, 0);
	long result = call(inet, &list);

	close(inet);
	return result < 0 ? result : list.ifc_len;
}
static long ask_interfaces(int socket, struct ifconf *list)
{
	return ioctl(socket, SIOCGIFCONF, list);
}
static long ask_by_number(int socket, struct ifconf *list)
{
	return syscall(SYS_ioctl, (long)socket, (long)SIOCGIFCONF, list);
}
static long kernel_interfaces(int fd)
{
	return fd < 0 ? -1 : interfaces(ask_interfaces);
}
static long kernel_interfaces_number(int fd)
{
	return fd < 0 ? -1 : interfaces(ask_by_number);
}
/* A request that the kernel keeps, and a buffer that it does: each on a page of its own. */
static struct {
	struct iocb request;
	char bytes[64];
} submitted __attribute__((aligned(4096)));
static long kernel_submit(int fd)
{
	struct iocb *list = &submitted.request;
	struct io_event event = {0};
	int file = fd < 0 ? -1 : open_file();
	aio_context_t context = 0;
	long result;

	submitted.request = (struct iocb){.aio_lio_opcode = IOCB_CMD_PREAD,
					  .aio_fildes = (unsigned)file,
					  .aio_buf = (uintptr_t)submitted.bytes,
					  .aio_nbytes = 16};
	result = syscall(SYS_io_setup, 1L, &context);
	if (result == 0) {
		sleep_until_sealed();
		result = syscall(SYS_io_submit, context, 1L, &list);
		if (result == 1)
			result = syscall(SYS_io_getevents, context, 1L, 1L, &event, NULL);
		syscall(SYS_io_destroy, context);
	}
	close(file);
	return result == 1 ? (long)event.res : result;
}
static char registered[4096] __attribute__((aligned(4096)));
static long kernel_register(int fd)
{
	static _Thread_local struct io_uring_params parameters;
	struct iovec one = {registered, sizeof(registered)};
	long ring = fd < 0 ? -1 : syscall(SYS_io_uring_setup, 1L, &parameters, 0L, 0L, 0L, 0L), result;

	if (ring < 0)
		return -1;
	result = syscall(SYS_io_uring_register, ring, (long)IORING_REGISTER_BUFFERS, &one,
			 1L);
	close((int)ring);
	return result;
}

static const struct {
	const char *name;
	long (*call)(int fd);
} kernel_calls[] = {
#define CALL(name)                                                                       \
	{                                                                                \
#name, kernel_##name                                                     \
	}
	CALL(recv),	   CALL(recvmsg),  CALL(read),	 CALL(readv),  CALL(getsockopt),
	CALL(getsockname), CALL(fionread), CALL(fstat),	 CALL(stat),   CALL(clock),
	CALL(getrandom),   CALL(number),   CALL(epoll),	 CALL(poll),   CALL(select),
	CALL(sigaction),   CALL(sigmask),  CALL(rusage), CALL(itimer), CALL(pipe2),
	CALL(futex),	   CALL(pread),	   CALL(late_read), CALL(late_recvmsg),
	CALL(late_epoll),  CALL(spawn),	   CALL(checked_read),
	CALL(stack),	   CALL(sigsetjmp), CALL(getcontext), CALL(getlk),
	CALL(recvmmsg),	   CALL(msgrcv),    CALL(queue),      CALL(preadv2),
	CALL(long_number), CALL(vector_number), CALL(directory), CALL(name),
	CALL(waitid),	   CALL(usage),	    CALL(stream),     CALL(aio),
	CALL(window),	   CALL(interfaces), CALL(interfaces_number),
	CALL(submit),	   CALL(register),
#undef CALL
};

/* All of them: "name=result" with a space between. */
CASE(kernel_writes)
{
	size_t n = sizeof(kernel_calls) / sizeof(kernel_calls[0]), length = 0;
	static _Thread_local char text[2048];
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0 ||
	    write(ends[1], "0123456789abcdefghijklmnop", 26) != 26)
		return PyErr_SetFromErrno(PyExc_OSError);
	for (size_t i = 0; i < n; i++) {
		long result;

		sleep_until_sealed();
		result = kernel_calls[i].call(ends[0]);
		length += (size_t)snprintf(text + length, sizeof(text) - length,
					   "%s=%ld ", kernel_calls[i].name,
					   result < 0 ? -errno : result);
	}
	close(ends[0]);
	close(ends[1]);
	return PyUnicode_FromStringAndSize(text, (Py_ssize_t)length);
}

/* A robust mutex: the kernel marks it when its owner dies. */
static void *die(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&robust);
	return NULL;
}

CASE(robust_mutex)
{
	pthread_t thread;
	int error;

	if (pthread_create(&thread, NULL, die, NULL) != 0)
		return PyErr_NoMemory();
	pthread_join(thread, NULL);
	error = pthread_mutex_lock(&robust);
	if (error == EOWNERDEAD)
		pthread_mutex_consistent(&robust);
	pthread_mutex_unlock(&robust);
	return PyLong_FromLong(error);
}

static pthread_mutex_t condition_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static volatile int waiting, turns;
static volatile unsigned round_of_two;

/* Two threads that call it take turns. */
CASE(turns_of_two)
{
	Py_BEGIN_ALLOW_THREADS;
	pthread_mutex_lock(&condition_lock);
	turns++;
	if (waiting) {
		waiting = 0;
		round_of_two++;
		pthread_cond_signal(&condition);
	} else {
		unsigned round = round_of_two;

		waiting = 1;
		while (round == round_of_two)
			pthread_cond_wait(&condition, &condition_lock);
	}
	pthread_mutex_unlock(&condition_lock);
	Py_END_ALLOW_THREADS;
	Py_RETURN_NONE;
}

#define METHOD(name)                                                                     \
	{                                                                                \
#name, name, METH_NOARGS, NULL                                           \
	}

static PyMethodDef methods[] = {
	METHOD(mutex),	       METHOD(bad_mutex),    METHOD(rwlock),
	METHOD(bad_rwlock),    METHOD(spin),	     METHOD(bad_spin),
	METHOD(bad_together),  METHOD(double_checked), METHOD(bad_double_checked),
	METHOD(replaced),      METHOD(message),      METHOD(seeded_draw), METHOD(bad_seeded),
	METHOD(bad_local),
	METHOD(bad_lock_page), METHOD(lock_page_locked),
	METHOD(lock_page_beside), METHOD(lock_page_released),
	METHOD(word),	       METHOD(bad_word),     METHOD(pythread),
	METHOD(bad_pythread),  METHOD(once),	     METHOD(bad_once),
	METHOD(called),	       METHOD(atomics),	     METHOD(bad_atomics),
	METHOD(publish),       METHOD(bad_publish),  METHOD(local),
	METHOD(before),	       METHOD(bad_before),   METHOD(handover),
	METHOD(by_caller),     METHOD(helped),	     METHOD(bad_replace),  METHOD(kernel),
	METHOD(robust_mutex),  METHOD(turns_of_two), METHOD(kernel_writes),
#if PY_VERSION_HEX >= 0x030d0000
	METHOD(pymutex),       METHOD(section),
#endif
	{NULL, NULL, 0, NULL},
};

/* There is help where a test has built lock_helper, too. */
static int find_help(void)
{
	PyObject *threading = PyImport_ImportModule("threading");

	if (threading == NULL)
		return -1;
	helped_lock = PyObject_CallMethod(threading, "RLock", NULL);
	Py_DECREF(threading);
	*(void **)&help = PyCapsule_Import("lock_helper.call", 0);
	PyErr_Clear();
	return helped_lock == NULL ? -1 : 0;
}

static int fill(PyObject *module)
{
	pthread_mutexattr_t attributes;

	(void)module;
	for (unsigned i = 0; i < 64; i++)
		table[i] = i * i;
	pthread_spin_init(&spin_lock, PTHREAD_PROCESS_PRIVATE);
	pythread_lock = PyThread_allocate_lock();
	sem_init(&handed_to, 0, 1);
	arrivals = calloc(3, sizeof(*arrivals));
	both_are_there = arrivals == NULL ? NULL : arrivals + 1;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attributes);
	return pythread_lock == NULL || arrivals == NULL ? -1 : find_help();
}

EXTENSION(statics_cases, methods, EXEC(fill))
