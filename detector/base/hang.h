/* How a process is asked for a finding of the kind `hang`, from outside. */
#ifndef FTSAN_BASE_HANG_H
#define FTSAN_BASE_HANG_H

#include <stdint.h>

/* Value of a queued SIGTRAP: this, and for how many seconds it was waited. */
#define FTSAN_HANG_MARK UINT64_C(0x6674680000000000)
#define FTSAN_HANG_BITS UINT64_C(0xffffff0000000000)

#endif
