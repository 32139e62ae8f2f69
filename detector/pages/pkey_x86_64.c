#include "pages/pkey.h"

#include <cpuid.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "base/base.h"

/* The kernel's struct _fpx_sw_bytes, in bytes 464 to 511 of the legacy area, which
 * neither FXSAVE nor XSAVE touches; <asm/sigcontext.h> clashes with <signal.h>. */
struct fpx_sw {
	uint32_t magic;
	uint32_t extended_size;
	uint64_t features;
	uint32_t xstate_size;
};

enum {
	FPX_SW_AT = 464,
	FPX_MAGIC = 0x46505853, /* FP_XSTATE_MAGIC1 */
	HEADER_AT = 512,	/* of the XSAVE header; its first word is XSTATE_BV */
	HEADER_SIZE = 64,
	PKRU_FEATURE = 9,
	CPUID_FEATURES = 7,
	CPUID_OSPKE = 1 << 4, /* in ecx */
	CPUID_XSAVE = 0xd,
};

#define PKRU_BIT (1ull << PKRU_FEATURE)

static unsigned own_key; /* set once at start; key 0 is everybody's */
static uint32_t pkru_offset;

/* --- pure ----------------------------------------------------------------------- */

static bool has_pkru(const void *xstate, uint32_t offset)
{
	struct fpx_sw sw;

	if (xstate == NULL || offset < HEADER_AT + HEADER_SIZE)
		return false;
	memcpy(&sw, (const char *)xstate + FPX_SW_AT, sizeof(sw));
	return sw.magic == FPX_MAGIC && (sw.features & PKRU_BIT) != 0 &&
	       sw.xstate_size >= sizeof(uint32_t) &&
	       offset <= sw.xstate_size - sizeof(uint32_t);
}

bool ftsan_xstate_get_pkru(const void *xstate, uint32_t offset, uint32_t *pkru)
{
	uint64_t present;

	if (!has_pkru(xstate, offset))
		return false;
	memcpy(&present, (const char *)xstate + HEADER_AT, sizeof(present));
	/* Absent means the initial value, and that denies nothing. */
	*pkru = 0;
	if ((present & PKRU_BIT) != 0)
		memcpy(pkru, (const char *)xstate + offset, sizeof(*pkru));
	return true;
}

bool ftsan_xstate_set_pkru(void *xstate, uint32_t offset, uint32_t pkru)
{
	uint64_t present;

	if (!has_pkru(xstate, offset))
		return false;
	memcpy((char *)xstate + offset, &pkru, sizeof(pkru));
	memcpy(&present, (char *)xstate + HEADER_AT, sizeof(present));
	present |= PKRU_BIT;
	memcpy((char *)xstate + HEADER_AT, &present, sizeof(present));
	return true;
}

/* --- the process's key ---------------------------------------------------------- */

static uint32_t read_pkru(void)
{
	uint32_t low, high;

	__asm__ volatile("rdpkru" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

/* "memory": no access to a sealed page may move to the other side. */
static void write_pkru(uint32_t pkru)
{
	__asm__ volatile("wrpkru" : : "a"(pkru), "c"(0), "d"(0) : "memory");
}

/* Without OSPKE the two instructions above are undefined ones. */
static bool supported(void)
{
	unsigned a, b, c, d;

	return __get_cpuid_count(CPUID_FEATURES, 0, &a, &b, &c, &d) != 0 &&
	       (c & CPUID_OSPKE) != 0;
}

static uint32_t offset_of_pkru(void)
{
	unsigned a, b, c, d;

	if (__get_cpuid_count(CPUID_XSAVE, PKRU_FEATURE, &a, &b, &c, &d) == 0 ||
	    a < sizeof(uint32_t))
		return 0;
	return b;
}

int ftsan_pkey_init(void)
{
	long key;

	if (!supported())
		return -ENOTSUP;
	pkru_offset = offset_of_pkru();
	if (pkru_offset == 0)
		return -ENOTSUP;
	key = ftsan_sys_call6(SYS_pkey_alloc, 0, 0, 0, 0, 0, 0);
	if (key == -ENOSPC)
		return -ENOSPC;
	if (key <= 0)
		return -ENOTSUP;
	own_key = (unsigned)key;
	write_pkru(ftsan_pkru_with(read_pkru(), own_key, FTSAN_PKEY_DENIES_WRITES));
	return 0;
}

void ftsan_pkey_exit(void)
{
	if (own_key != 0)
		(void)ftsan_sys_call6(SYS_pkey_free, own_key, 0, 0, 0, 0, 0);
	own_key = 0;
}

unsigned ftsan_pkey(void)
{
	return own_key;
}

int ftsan_pkey_protect(void *base, size_t size_bytes, int protection, unsigned key)
{
	return (int)ftsan_sys_call6(SYS_pkey_mprotect, (long)base, (long)size_bytes,
				    protection, key, 0, 0);
}

void ftsan_pkey_enter(void)
{
	if (own_key != 0)
		write_pkru(
			ftsan_pkru_with(read_pkru(), own_key, FTSAN_PKEY_DENIES_WRITES));
}

/* change() - true when the frame has a PKRU; *was is what it denied. */
static bool change(ucontext_t *uc, enum ftsan_pkey_denied denied, uint32_t *was)
{
	uint32_t pkru;
	void *xstate;

	if (own_key == 0)
		return false;
	xstate = uc->uc_mcontext.fpregs;
	if (!ftsan_xstate_get_pkru(xstate, pkru_offset, &pkru))
		return false;
	*was = ftsan_pkru_denied(pkru, own_key);
	return ftsan_xstate_set_pkru(xstate, pkru_offset,
				     ftsan_pkru_with(pkru, own_key, denied));
}

bool ftsan_pkey_allow_reads(void *ucontext)
{
	uint32_t was;

	return change(ucontext, FTSAN_PKEY_DENIES_WRITES, &was) &&
	       (was & FTSAN_PKEY_DENIES_ALL) != 0;
}

bool ftsan_pkey_open(void *ucontext)
{
	uint32_t was;

	return change(ucontext, FTSAN_PKEY_DENIES_NOTHING, &was);
}

void ftsan_pkey_close(void *ucontext)
{
	uint32_t was;

	(void)change(ucontext, FTSAN_PKEY_DENIES_WRITES, &was);
}
