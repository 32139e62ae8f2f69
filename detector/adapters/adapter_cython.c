#include "adapters/adapter_cython.h"

#include <stdatomic.h>
#include <string.h>

#include "base/base.h"
#include "pages/pages.h"
#include "stacks/stacks.h"

enum { MODULES = 512, VERSION_ROOM = 24, CHUNK = 2048, OVERLAP = 64 };

/*
 * struct known - the answer for one loaded object
 * @module: set last (release); entries are only added
 */
struct known {
	_Atomic(struct ftsan_module *) module;
	_Atomic bool asked;
	char version[VERSION_ROOM]; /* empty: not Cython's */
};

static struct known known[MODULES];
static uint32_t type_offset;
static uintptr_t code_type;

void ftsan_cython_init(uint32_t ob_type, uintptr_t code)
{
	type_offset = ob_type;
	code_type = code;
}

static bool version_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '_';
}

bool ftsan_cython_find_version(const char *text, size_t size, char *version, size_t room)
{
	static const char mark[] = "_cython_";
	const size_t length = sizeof(mark) - 1;

	for (const char *at = text; (at = memchr(at, '_', (size_t)(text + size - at)));
	     at++) {
		const char *digit = at + length;
		size_t n = 0;

		if ((size_t)(text + size - at) <= length ||
		    memcmp(at, mark, length) != 0 || *digit < '0' || *digit > '9')
			continue;
		while (digit + n < text + size && n + 1 < room &&
		       version_char(digit[n])) {
			version[n] = digit[n] == '_' ? '.' : digit[n];
			n++;
		}
		version[n] = '\0';
		return true;
	}
	return false;
}

/* search() - segment by segment would be exact; holes between them just don't read. */
static void search(const struct ftsan_module *module, char *version)
{
	char chunk[CHUNK + OVERLAP];

	version[0] = '\0';
	for (uintptr_t at = module->begin; at < module->end; at += CHUNK) {
		size_t size = sizeof(chunk);

		if (ftsan_safe_read(chunk, (const void *)at, size) != 0) {
			size = CHUNK;
			if (ftsan_safe_read(chunk, (const void *)at, size) != 0)
				continue;
		}
		if (ftsan_cython_find_version(chunk, size, version, VERSION_ROOM))
			return;
	}
}

/* entry_of() - the module's entry, a new one if there is room. */
static struct known *entry_of(struct ftsan_module *module)
{
	for (unsigned i = 0; i < MODULES; i++) {
		struct ftsan_module *taken = NULL;

		if (atomic_load_explicit(&known[i].module, memory_order_acquire) ==
		    module)
			return &known[i];
		if (atomic_compare_exchange_strong(&known[i].module, &taken, module) ||
		    taken == module)
			return &known[i];
	}
	return NULL;
}

uintptr_t ftsan_cython_module(uintptr_t pc)
{
	struct ftsan_module *module = ftsan_module_of(pc);
	struct known *entry = module == NULL ? NULL : entry_of(module);
	char version[VERSION_ROOM];

	if (entry == NULL)
		return 0;
	if (!atomic_load_explicit(&entry->asked, memory_order_acquire)) {
		/* Two threads may both search: they write the same answer. */
		search(module, version);
		memcpy(entry->version, version, sizeof(version));
		atomic_store_explicit(&entry->asked, true, memory_order_release);
	}
	return entry->version[0] == '\0' ? 0 : (uintptr_t)(entry - known) + 1;
}

bool ftsan_cython_begins_cache(const void *block)
{
	uintptr_t code, type;

	return ftsan_safe_ptr((uintptr_t)block, &code) && code != 0 &&
	       ftsan_safe_ptr(code + type_offset, &type) && type == code_type;
}

/*
 * A module's other blocks of the same size are no caches: the first entry has to be a
 * code object with a line.
 */
static bool points_at(uintptr_t module, uintptr_t buffer)
{
	(void)module;
	return ftsan_cython_begins_cache((const void *)buffer);
}

static void describe(uint32_t slot, uintptr_t address, struct ftsan_object *out)
{
	uintptr_t number =
		atomic_load_explicit(&ftsan_slot_at(slot)->object, memory_order_relaxed);
	uint32_t entry =
		(uint32_t)(address - ftsan_slot_buffer(slot)) / FTSAN_CYTHON_ENTRY;
	const struct known *module = number == 0 ? NULL : &known[number - 1];
	struct ftsan_buf name, text;

	ftsan_buf_init(&name, out->name, sizeof(out->name));
	ftsan_buf_str(&name, "entries[");
	ftsan_buf_u64(&name, entry);
	ftsan_buf_char(&name, ']');
	(void)ftsan_buf_cstr(&name);
	out->word = (int)((address - ftsan_slot_buffer(slot)) / 8);
	ftsan_buf_init(&text, out->description, sizeof(out->description));
	ftsan_buf_str(&text, "the code-object cache of ");
	if (module != NULL) {
		ftsan_buf_str(&text,
			      ftsan_str_base_name(atomic_load(&module->module)->path));
		ftsan_buf_str(&text, " (Cython ");
		ftsan_buf_str(&text, module->version);
		ftsan_buf_char(&text, ')');
	}
	(void)ftsan_buf_cstr(&text);
}

const struct ftsan_adapter ftsan_adapter_cython = {
	.name = "cython",
	.extent = FTSAN_EXTENT_WHOLE,
	.kept = true, /* the caches of a module are few */
	.points_at = points_at,
	.describe = describe,
};
