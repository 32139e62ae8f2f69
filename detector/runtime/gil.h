/* The GIL's state, as the records and the verdict have it. Private to the room. */
#ifndef FTSAN_RUNTIME_GIL_H
#define FTSAN_RUNTIME_GIL_H

#include <stdbool.h>

struct ftsan_host;
struct ftsan_pyabi;

/*
 * "on", "off" or "unknown", of the interpreter, and what the host saw where that doesn't
 * tell. @ended: at the end of the process, when the interpreter may be gone.
 * Async-signal-safe.
 */
const char *ftsan_gil_word(const struct ftsan_host *host, const struct ftsan_pyabi *abi,
			   bool ended);

/* At the end. Async-signal-safe. */
bool ftsan_gil_is_on(const struct ftsan_host *host, const struct ftsan_pyabi *abi);

#endif
