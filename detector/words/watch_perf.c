#include "words/watch_perf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "base/base.h"

/* <asm-generic/siginfo.h>; older libcs have neither the code nor the fields. */
enum { CODE_TRAP_PERF = 6, FLAG_ASYNC = 1 };

/* siginfo_t of SIGTRAP with TRAP_PERF on 64-bit kernels, as the kernel's header has it.
 */
struct perf_siginfo {
	int32_t signo, error, code, pad;
	uint64_t address;
	uint64_t data;
	uint32_t type;
	uint32_t flags;
};
_Static_assert(offsetof(struct perf_siginfo, data) == 24, "the kernel's layout");
_Static_assert(sizeof(struct perf_siginfo) <= sizeof(siginfo_t), "the kernel's layout");

static struct perf_event_attr attributes(const struct ftsan_perf_target *to)
{
	return (struct perf_event_attr){
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(struct perf_event_attr),
		.sample_period = 1,
		.disabled = to->everyone,
		.inherit = to->everyone,
		.inherit_thread = to->everyone,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.sigtrap = 1,
		.remove_on_exec = 1, /* the kernel insists on it with sigtrap */
		.bp_type = to->reads ? HW_BREAKPOINT_RW : HW_BREAKPOINT_W,
		.bp_addr = to->address,
		.bp_len = to->length,
		.sig_data = to->data,
	};
}

static long control(const struct ftsan_perf_event *event, unsigned long request, void *to)
{
	return ftsan_sys_call6(SYS_ioctl, event->number_plus_1 - 1, (long)request,
			       (long)to, 0, 0, 0);
}

static int read_id(const struct ftsan_perf_event *event, uint64_t *id)
{
	return event->number_plus_1 == 0 ? -EBADF
					 : (int)control(event, PERF_EVENT_IOC_ID, id);
}

int ftsan_perf_open(struct ftsan_perf_event *event, const struct ftsan_perf_target *to)
{
	struct perf_event_attr attr = attributes(to);
	const int self = 0, any_cpu = -1, no_group = -1;
	long raw = ftsan_sys_call6(SYS_perf_event_open, (long)&attr, self, any_cpu,
				   no_group, PERF_FLAG_FD_CLOEXEC, 0);
	int error;

	if (raw < 0)
		return (int)raw;
	event->number_plus_1 = ftsan_fd_move_high((int)raw) + 1;
	error = read_id(event, &event->id);
	if (error < 0) {
		(void)ftsan_sys_close(event->number_plus_1 - 1);
		event->number_plus_1 = 0;
	}
	return error;
}

bool ftsan_perf_is_ours(const struct ftsan_perf_event *event)
{
	uint64_t id;

	return read_id(event, &id) == 0 && id == event->id;
}

int ftsan_perf_aim(const struct ftsan_perf_event *event,
		   const struct ftsan_perf_target *to)
{
	struct perf_event_attr attr = attributes(to);
	int error;

	if (!ftsan_perf_is_ours(event))
		return -EBADF;
	error = (int)control(event, PERF_EVENT_IOC_MODIFY_ATTRIBUTES, &attr);
	/* A target that is refused leaves the event on with the former one. */
	if (error < 0)
		(void)control(event, PERF_EVENT_IOC_DISABLE, NULL);
	else if (to->everyone)
		error = (int)control(event, PERF_EVENT_IOC_ENABLE, NULL);
	return error;
}

int ftsan_perf_rest(const struct ftsan_perf_event *event)
{
	if (!ftsan_perf_is_ours(event))
		return -EBADF;
	return (int)control(event, PERF_EVENT_IOC_DISABLE, NULL);
}

void ftsan_perf_close(struct ftsan_perf_event *event)
{
	if (ftsan_perf_is_ours(event))
		(void)ftsan_sys_close(event->number_plus_1 - 1);
	*event = (struct ftsan_perf_event){0};
}

bool ftsan_perf_signal_read(const siginfo_t *info, struct ftsan_perf_signal *out)
{
	struct perf_siginfo raw;

	memcpy(&raw, info, sizeof(raw));
	if (raw.signo != SIGTRAP || raw.code != CODE_TRAP_PERF ||
	    raw.type != PERF_TYPE_BREAKPOINT)
		return false;
	*out = (struct ftsan_perf_signal){.address = raw.address,
					  .data = raw.data,
					  .async = (raw.flags & FLAG_ASYNC) != 0};
	return true;
}
