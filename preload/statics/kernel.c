/*
 * What the kernel does to statics: it gets no signal where a page is sealed, but fails
 * the call. The pages are open until the call has ended.
 *
 * The interpreter's own calls are left alone: it has its own memory written to. Calls
 * that libc makes for itself are not seen; what it keeps for them (a stream's buffer) is
 * opened for good when it is told of it.
 */
#include <aio.h>
#include <dlfcn.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/base.h"
#include "elf/elf.h"
#include "hooks/hooks.h"
#include "runtime/runtime.h"
#include "statics/kernel_twice.h"
#include "statics/statics_seal.h"
#include "statics/statics.h"

/* A macro, too. */
#undef fread_unlocked

enum kernel_hook {
#define FTSAN_KERNEL_HOOK(ret, name, params, args, memory) KERNEL_##name,
#include "statics/kernel.def"
#undef FTSAN_KERNEL_HOOK
	N_PLAIN_HOOKS,
	KERNEL_SIGSETJMP = N_PLAIN_HOOKS,
	KERNEL_GETCONTEXT,
	KERNEL_SWAPCONTEXT,
	N_KERNEL_HOOKS
};

/* The originals; the wrapper of one that is not there is reached by nobody. */
static struct {
#define FTSAN_KERNEL_HOOK(ret, name, params, args, memory) ret(*name) params;
#include "statics/kernel.def"
#undef FTSAN_KERNEL_HOOK
} real;

enum { PAGE_BYTES = 4096, VECTORS_MAX = 1024 /* IOV_MAX */, LENGTH_MAX = 1 << 30 };
/* Of a call by number; and of what those point at, so much may be addresses in turn. */
enum { ARGUMENTS = 6, STRUCTURE_BYTES = 256 };

static void open_for_good(const void *memory, size_t size_bytes)
{
	if (ftsan_statics_near((uintptr_t)memory))
		ftsan_statics_leave_open((uintptr_t)memory, size_bytes);
}

/* How much an ioctl may write, by its number (asm-generic/ioctl.h: 14 bits from the 16th
 * on); those of old have none in it, and small structures. */
static size_t ioctl_bytes(unsigned long request)
{
	size_t bytes = request >> 16 & 0x3fff;

	return bytes > 256 ? bytes : 256;
}

/* The program's addresses may be wrong: then the kernel says so, not we. */
static void vectors(struct ftsan_statics_call *call, const struct iovec *list, size_t n,
		    bool writes)
{
	struct iovec one;

	for (size_t i = 0; list != NULL && i < n && i < VECTORS_MAX; i++)
		if (ftsan_safe_read(&one, list + i, sizeof(one)) == 0)
			ftsan_statics_kernel(call, one.iov_base, one.iov_len, writes);
}

static void message(struct ftsan_statics_call *call, const struct msghdr *message_,
		    bool writes)
{
	struct msghdr copy;

	if (message_ == NULL || ftsan_safe_read(&copy, message_, sizeof(copy)) != 0)
		return;
	ftsan_statics_kernel(call, message_, sizeof(copy), writes);
	ftsan_statics_kernel(call, copy.msg_name, copy.msg_namelen, writes);
	ftsan_statics_kernel(call, copy.msg_control, copy.msg_controllen, writes);
	vectors(call, copy.msg_iov, copy.msg_iovlen, writes);
}

/* The kernel writes each message's length, even of those that are sent. */
static void messages(struct ftsan_statics_call *call, const struct mmsghdr *list,
		     size_t n, bool writes)
{
	for (size_t i = 0; list != NULL && i < n && i < VECTORS_MAX; i++) {
		ftsan_statics_kernel(call, list + i, sizeof(list[i]), true);
		message(call, &list[i].msg_hdr, writes);
	}
}

/*
 * A structure, or a list, may have addresses in it: what they point at is opened, too.
 * What comes right after an address, or right before it, is most often its length.
 */
static size_t length_of(uint64_t after, uint64_t before)
{
	if (after > PAGE_BYTES && after < LENGTH_MAX)
		return after;
	/* An int with padding behind it. */
	before = (uint32_t)before;
	return before > PAGE_BYTES && before < LENGTH_MAX ? before : PAGE_BYTES;
}

static void pointed(struct ftsan_statics_call *call, const void *structure, size_t bytes)
{
	uint64_t before = 0, word, after;
	uintptr_t at = (uintptr_t)structure;

	for (uintptr_t end = at + bytes; at + sizeof(word) <= end; at += sizeof(word)) {
		if (!ftsan_safe_u64(at, &word))
			return;
		if (!ftsan_safe_u64(at + sizeof(word), &after))
			after = 0;
		ftsan_statics_kernel(call, (const void *)word, length_of(after, before),
				     true);
		before = word;
	}
}

/* Buffers that the kernel keeps: of io_uring; of requests (linux/aio_abi.h: the buffer's
 * address is the word at 24 of a struct iocb, its length the next one). */
static void kept(const struct iovec *list, size_t n)
{
	struct iovec one;

	for (size_t i = 0; list != NULL && i < n && i < VECTORS_MAX; i++)
		if (ftsan_safe_read(&one, list + i, sizeof(one)) == 0)
			open_for_good(one.iov_base, one.iov_len);
}

static void submitted(void *const *list, long n)
{
	enum { IOCB_BUFFER = 24, IOCB_BYTES = 64 };
	char *one;

	for (long i = 0; list != NULL && i < n && i < VECTORS_MAX; i++) {
		if (ftsan_safe_read(&one, list + i, sizeof(one)) != 0 || one == NULL)
			continue;
		open_for_good(one, IOCB_BYTES);
		kept((const struct iovec *)(one + IOCB_BUFFER), 1);
	}
}

/*
 * A thread of libc's own will come to it, with every signal blocked. struct aiocb64 is
 * the same here.
 */
static void later(const void *of)
{
	struct aiocb copy;

	if (of == NULL || ftsan_safe_read(&copy, of, sizeof(copy)) != 0)
		return;
	open_for_good(of, sizeof(copy));
	open_for_good((const void *)copy.aio_buf, copy.aio_nbytes);
}

static void later_ones(const void *const *list, size_t n)
{
	const void *one;

	for (size_t i = 0; list != NULL && i < n && i < VECTORS_MAX; i++)
		if (ftsan_safe_read(&one, list + i, sizeof(one)) == 0)
			later(one);
}

/*
 * A call by number: all that its arguments may point at is opened. What comes after an
 * address is most often its length.
 */
static void by_number(struct ftsan_statics_call *call, long number, const long *a)
{
	const void *second = (const void *)a[1];

	if (number == SYS_readv || number == SYS_preadv || number == SYS_preadv2)
		vectors(call, second, (size_t)a[2], true);
	else if (number == SYS_recvmsg)
		message(call, second, true);
	else if (number == SYS_recvmmsg)
		messages(call, second, (size_t)a[2], true);
	else if (number == SYS_io_submit)
		submitted((void *const *)a[2], a[1]);
	else if (number == SYS_io_uring_register && a[1] == IORING_REGISTER_BUFFERS)
		kept((const struct iovec *)a[2], (size_t)a[3]);
	for (unsigned i = 0; i < ARGUMENTS; i++) {
		long next = i + 1 < ARGUMENTS ? a[i + 1] : 0;
		size_t bytes = PAGE_BYTES;

		if (next > PAGE_BYTES && next < LENGTH_MAX)
			bytes = (size_t)next;
		ftsan_statics_kernel(call, (const void *)a[i], bytes, true);
		/* Of a futex there is none, and many calls. */
		if (number != SYS_futex && a[i] > PAGE_BYTES)
			pointed(call, (const void *)a[i], STRUCTURE_BYTES);
	}
}

#define V(list, n, writes) vectors(&call, (list), (size_t)(n), (writes));
#define M(message_) message(&call, message_, true);
#define P(address, bytes) pointed(&call, (address), (bytes));
#define O(address, bytes) open_for_good((address), (bytes));
#define W(address, bytes) ftsan_statics_kernel(&call, (address), (bytes), true);
#define R(address, bytes) ftsan_statics_kernel(&call, (address), (bytes), false);
#define FTSAN_KERNEL_HOOK(ret, name, params, args, memory)                               \
	static ret kernel_##name params                                                  \
	{                                                                                \
		struct ftsan_statics_call call;                                          \
		ret result;                                                              \
                                                                                         \
		call.n = 0;                                                              \
		memory result = real.name args;                                          \
		ftsan_statics_kernel_end(&call);                                         \
		return result;                                                           \
	}
#include "statics/kernel.def"
#undef FTSAN_KERNEL_HOOK
#undef W
#undef R
#undef V
#undef M
#undef P
#undef O

/* Guarded by the lock around the loader, whose holder calls us. */
static struct ftsan_got_hook table[N_KERNEL_HOOKS];
static _Atomic uint32_t counts[N_KERNEL_HOOKS];
/* One bit a hook, so there are several. */
enum { N_GOTS = (N_KERNEL_HOOKS + FTSAN_GOT_MAX - 1) / FTSAN_GOT_MAX };
static struct ftsan_got gots[N_GOTS];
static bool started;

static uintptr_t set(unsigned i, const char *name, uintptr_t replacement)
{
	uintptr_t original = (uintptr_t)ftsan_real_lookup(RTLD_NEXT, name);

	table[i] = (struct ftsan_got_hook){
		.name = name, .original = original, .replacement = replacement};
	return original;
}

static void set_plain(unsigned i, const char *name, uintptr_t replacement)
{
	uintptr_t original = set(i, name, replacement);

	memcpy((char *)&real + i * sizeof(void *), &original, sizeof(original));
}

static void set_twice(void)
{
	ftsan_kernel_sigsetjmp_real =
		set(KERNEL_SIGSETJMP, "__sigsetjmp", (uintptr_t)ftsan_kernel_sigsetjmp);
	ftsan_kernel_getcontext_real =
		set(KERNEL_GETCONTEXT, "getcontext", (uintptr_t)ftsan_kernel_getcontext);
	ftsan_kernel_swapcontext_real = set(KERNEL_SWAPCONTEXT, "swapcontext",
					    (uintptr_t)ftsan_kernel_swapcontext);
}

static void start(void)
{
	unsigned i = 0;

	if (started || !ftsan_statics_on())
		return;
#define FTSAN_KERNEL_HOOK(ret, name, params, args, memory)                               \
	set_plain(i++, #name, (uintptr_t)kernel_##name);
#include "statics/kernel.def"
#undef FTSAN_KERNEL_HOOK
	set_twice();
	for (unsigned at = 0; at < N_KERNEL_HOOKS; at += FTSAN_GOT_MAX)
		gots[at / FTSAN_GOT_MAX] = (struct ftsan_got){
			.hooks = table + at,
			.n_hooks = N_KERNEL_HOOKS - at < FTSAN_GOT_MAX
					   ? N_KERNEL_HOOKS - at
					   : FTSAN_GOT_MAX,
			.counts = counts + at,
			.skip = ftsan_runtime_host()->py_runtime,
		};
	started = true;
}

static void update(void)
{
	for (unsigned n = 0; started && n < N_GOTS; n++)
		(void)ftsan_got_update(&gots[n]);
}

static void stop(void)
{
	if (!started)
		return;
	for (unsigned n = 0; n < N_GOTS; n++)
		ftsan_got_restore(&gots[n], 0);
	started = false;
}

const struct ftsan_loader_listener ftsan_statics_kernel_listener = {
	.start = start, .update = update, .stop = stop};
