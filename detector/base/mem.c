#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "base/annot.h"
#include "base/fd.h"
#include "base/sys.h"

/* On a page of its own that the child of a fork sees zeroed. */
struct wiped {
	struct ftsan_fd fd;
	_Atomic uint32_t opening;
};

static struct wiped *wiped;	  /* set once at start */
static struct ftsan_fd inherited; /* not wiped: what a child has to close */
static _Atomic bool writable;

static int open_mem(void)
{
	uint32_t expected = 0;
	int raw, error;

	/* Somebody else is at it: the caller takes its other way for this once. */
	if (!atomic_compare_exchange_strong(&wiped->opening, &expected, 1))
		return -EAGAIN;
	raw = ftsan_sys_open("/proc/self/mem", O_RDWR | O_CLOEXEC, 0);
	error = raw < 0 ? raw : ftsan_fd_take(&wiped->fd, raw);
	inherited = wiped->fd;
	atomic_store_explicit(&wiped->opening, 0, memory_order_release);
	return error;
}

static int number(void)
{
	int fd;

	if (wiped == NULL)
		return -EBADF;
	fd = ftsan_fd_number(&wiped->fd);
	if (fd >= 0)
		return fd;
	int error = open_mem();
	return error < 0 ? error : ftsan_fd_number(&wiped->fd);
}

static int whole(ssize_t done, size_t size_bytes)
{
	if (done < 0)
		return (int)done;
	return (size_t)done == size_bytes ? 0 : -EIO;
}

int ftsan_mem_write(uintptr_t to, const void *from, size_t size_bytes)
{
	int fd = number();

	return fd < 0 ? -EBADF
		      : whole(ftsan_sys_pwrite(fd, from, size_bytes, to), size_bytes);
}

int ftsan_mem_read(void *to, uintptr_t from, size_t size_bytes)
{
	int fd = number();

	return fd < 0 ? -EBADF
		      : whole(ftsan_sys_pread(fd, to, size_bytes, from), size_bytes);
}

/* try_out() - does a write really go through the protection of a page? */
static int try_out(void)
{
	uint64_t *page = ftsan_sys_map(FTSAN_PAGE);
	const uint64_t probe = 0x6674736166u;
	int error;

	if (page == NULL)
		return -ENOMEM;
	*page = 0;
	error = ftsan_sys_protect(page, FTSAN_PAGE, PROT_READ);
	if (error == 0)
		error = ftsan_mem_write((uintptr_t)page, &probe, sizeof(probe));
	if (error == 0 && *(volatile uint64_t *)page != probe)
		error = -EIO;
	(void)ftsan_sys_unmap(page, FTSAN_PAGE);
	return error;
}

int ftsan_mem_init(void)
{
	int error;

	if (wiped != NULL)
		return 0;
	wiped = ftsan_sys_map(FTSAN_PAGE);
	if (wiped == NULL)
		return -ENOMEM;
	error = ftsan_sys_madvise(wiped, FTSAN_PAGE, MADV_WIPEONFORK);
	if (error == 0)
		error = try_out();
	if (error != 0)
		wiped = NULL; /* without the wiping the descriptor is too dangerous */
	atomic_store_explicit(&writable, error == 0, memory_order_relaxed);
	return error;
}

bool ftsan_mem_writable(void)
{
	return atomic_load_explicit(&writable, memory_order_relaxed);
}

void ftsan_mem_fork_child(void)
{
	ftsan_fd_drop(&inherited);
}
