#include "runtime/watched.h"

#include <stdatomic.h>
#include <string.h>

#include "base/base.h"
#include "findings/findings.h"
#include "sampler/sampler.h"
#include "stacks/stacks.h"

enum needs { RACE, ANYTIME, MODE, GIL_OFF, GIL_ON };

static bool counts(enum needs needs, bool gil_on)
{
	return !(needs == GIL_OFF && gil_on) && !(needs == GIL_ON && !gil_on);
}

static void put_one(struct ftsan_buf *line, bool first, const char *engine,
		    const char *words, uint64_t n, bool race)
{
	ftsan_buf_str(line, first ? "" : ",");
	ftsan_buf_str(line, "{\"engine\":");
	ftsan_buf_json(line, engine);
	ftsan_buf_str(line, ",\"what\":");
	ftsan_buf_json(line, words);
	ftsan_buf_str(line, ",\"n\":");
	ftsan_buf_u64(line, n);
	ftsan_buf_str(line, race ? ",\"race\":true}" : ",\"race\":false}");
}

/* struct watched - a line of watched.def */
struct watched {
	const char *engine, *words;
	uint64_t n;
	enum needs needs;
};

enum {
#define FTSAN_WATCHED(engine, counter, needs, words) +1
	N_WATCHED =
#include "base/watched.def"
#undef FTSAN_WATCHED
};

static void count_watched(struct watched all[N_WATCHED])
{
	const struct watched now[N_WATCHED] = {
#define FTSAN_WATCHED(engine, counter, needs, words)                                     \
	{#engine, words, ftsan_counted(counter), needs},
#include "base/watched.def"
#undef FTSAN_WATCHED
	};

	memcpy(all, now, sizeof(now));
}

static bool takes_threads(enum needs needs, bool latent)
{
	return needs == RACE || (needs == MODE && !latent);
}

bool ftsan_watched_anything(bool latent, bool gil_on, bool threads)
{
	struct watched all[N_WATCHED];

	count_watched(all);
	for (unsigned i = 0; i < N_WATCHED; i++)
		if (all[i].n > 0 && counts(all[i].needs, gil_on) &&
		    (!takes_threads(all[i].needs, latent) || (threads && !gil_on)))
			return true;
	return false;
}

static void put_watched(struct ftsan_buf *line, bool latent, bool gil_on)
{
	struct watched all[N_WATCHED];
	bool first = true;

	count_watched(all);
	ftsan_buf_str(line, ",\"watched\":[");
	for (unsigned i = 0; i < N_WATCHED; i++) {
		if (all[i].n == 0 || !counts(all[i].needs, gil_on))
			continue;
		put_one(line, first, all[i].engine, all[i].words, all[i].n,
			takes_threads(all[i].needs, latent));
		first = false;
	}
	ftsan_buf_char(line, ']');
}

/* --- what there was ----------------------------------------------------------------- */

enum { NAMED = 8 };

/* struct extensions - modules that were imported or are named like ones that were (before
 * an attach nobody looked), not CPython's own */
struct extensions {
	unsigned n;
	bool numpy;
	const char *paths[NAMED];
};

static void look(const struct ftsan_module *module, void *to)
{
	struct extensions *found = to;
	const char *name = ftsan_str_base_name(module->path);

	if (ftsan_path_is_stdlib(module->path) ||
	    !(atomic_load_explicit(&module->imported, memory_order_relaxed) ||
	      ftsan_path_has_tag(module->path)))
		return;
	if (strncmp(name, "_multiarray_umath.", 18) == 0)
		found->numpy = true;
	if (found->n < NAMED)
		found->paths[found->n] = module->path;
	found->n++;
}

/* The name that it is imported by, without its packages. */
static void put_name(struct ftsan_buf *line, const char *path)
{
	char text[64];
	struct ftsan_buf name;
	const char *base = ftsan_str_base_name(path);

	ftsan_buf_init(&name, text, sizeof(text));
	ftsan_buf_bytes(&name, base, strcspn(base, "."));
	ftsan_buf_json(line, ftsan_buf_cstr(&name));
}

unsigned ftsan_watched_extensions(void)
{
	struct extensions found = {.n = 0};

	ftsan_modules_each(look, &found);
	return found.n;
}

bool ftsan_watched_numpy(void)
{
	struct extensions found = {.n = 0};

	ftsan_modules_each(look, &found);
	return found.numpy;
}

static void put_extensions(struct ftsan_buf *line)
{
	struct extensions found = {.n = 0};

	ftsan_modules_each(look, &found);
	ftsan_buf_str(line, ",\"extensions\":{\"n\":");
	ftsan_buf_u64(line, found.n);
	ftsan_buf_str(line, found.numpy ? ",\"numpy\":true" : ",\"numpy\":false");
	ftsan_buf_str(line, ",\"some\":[");
	for (unsigned i = 0; i < found.n && i < NAMED; i++) {
		ftsan_buf_str(line, i > 0 ? "," : "");
		put_name(line, found.paths[i]);
	}
	ftsan_buf_str(line, "]}");
}

/* --- by module ---------------------------------------------------------------------- */

/* struct modules - the list that is being written; @left_out found no room in the line */
struct modules {
	struct ftsan_buf *line;
	unsigned written, left_out;
};

/* Room for a path of control characters, and for what follows the list. */
static bool has_room(const struct ftsan_buf *line, const char *path)
{
	enum { REST = 4096 };

	return line->capacity - line->length > 6 * strlen(path) + REST;
}

static void put_module(void *to, const struct ftsan_sampler_module *module)
{
	struct modules *modules = to;
	struct ftsan_buf *line = modules->line;

	if (!has_room(line, module->path)) {
		modules->left_out++;
		return;
	}
	ftsan_buf_str(line, modules->written++ == 0 ? "{\"module\":" : ",{\"module\":");
	ftsan_buf_json(line, module->path);
	ftsan_line_u64(line, "functions", module->functions);
	ftsan_line_u64(line, "seen", module->seen);
	ftsan_line_u64(line, "shared", module->shared);
	ftsan_buf_char(line, '}');
}

void ftsan_record_modules(struct ftsan_buf *line)
{
	struct modules modules = {.line = line};

	ftsan_buf_str(line, ",\"modules\":[");
	ftsan_sampler_each_module(put_module, &modules);
	ftsan_buf_char(line, ']');
	if (modules.left_out > 0)
		ftsan_line_u64(line, "modules_left_out", modules.left_out);
}

void ftsan_record_watched(struct ftsan_buf *line, bool latent, bool gil_on)
{
	put_watched(line, latent, gil_on);
	put_extensions(line);
}
