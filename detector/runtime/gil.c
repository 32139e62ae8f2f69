#include "runtime/gil.h"

#include <stddef.h>
#include <string.h>

#include "runtime/host.h"
#include "stacks/stacks.h"

const char *ftsan_gil_word(const struct ftsan_host *host, const struct ftsan_pyabi *abi,
			   bool ended)
{
	switch (ftsan_pygil_state(abi, ended)) {
	case FTSAN_PYGIL_ON:
		return "on";
	case FTSAN_PYGIL_OFF:
		return "off";
	default:
		return host->gil_seen != NULL ? host->gil_seen : "unknown";
	}
}

bool ftsan_gil_is_on(const struct ftsan_host *host, const struct ftsan_pyabi *abi)
{
	return strcmp(ftsan_gil_word(host, abi, true), "on") == 0;
}
