#include "runtime/blind.h"

#include "base/base.h"
#include "findings/findings.h"
#include "operations/operations.h"
#include "runtime/gil.h"
#include "runtime/watched.h"
#include "sampler/sampler.h"

/* In the order of `ftsan run`'s verdict; NULL: something was watched. */
static const char *reason_of(const struct ftsan_host *host, const struct ftsan_pyabi *abi)
{
	bool gil_on = ftsan_gil_is_on(host, abi), threads = ftsan_counted(workers) > 0;

	if (!abi->known)
		return abi->refusal;
	if (ftsan_watched_anything(ftsan_latent(), gil_on, threads))
		return NULL;
	if (ftsan_watched_extensions() == 0)
		return "no extension module was loaded";
	if (gil_on && !ftsan_latent())
		return "the GIL was on, so threads took turns";
	if (ftsan_sampler_active() && !ftsan_watched_numpy() && !ftsan_latent())
		return "no more than one thread was seen in code of extension modules, "
		       "and a race takes two";
	if (!threads && !ftsan_latent())
		return "only one thread worked with arrays, and a race takes two";
	return "nothing that ftsan covers was used for long enough";
}

void ftsan_blind_tell(const struct ftsan_host *host, const struct ftsan_pyabi *abi)
{
	char storage[512];
	struct ftsan_buf line;
	const char *reason = ftsan_report_count() > 0 ? NULL : reason_of(host, abi);

	if (reason == NULL)
		return;
	ftsan_buf_init(&line, storage, sizeof(storage));
	ftsan_buf_str(&line, "ftsan: NOTHING WATCHED in process ");
	ftsan_buf_i64(&line, ftsan_sys_getpid());
	ftsan_buf_str(&line, " (");
	ftsan_buf_str(&line, reason);
	ftsan_buf_str(&line, "); `ftsan report` knows more from the logs\n");
	ftsan_log_stderr(&line);
}
