#include "statics/report_text.h"

#include <string.h>

#include "base/base.h"
#include "locks/locks.h"
#include "statics/store.h"

const char *static_module_name(const struct static_module *module)
{
	return ftsan_str_base_name(module->module->path);
}

void static_describe_variable(struct ftsan_buf *name, struct ftsan_buf *description,
			      const struct static_module *module, uintptr_t address)
{
	static_name_variable(name, module, address);
	(void)ftsan_buf_cstr(name);
	ftsan_buf_str(description, "static data of ");
	ftsan_buf_str(description, static_module_name(module));
	(void)ftsan_buf_cstr(description);
}

void static_name_variable(struct ftsan_buf *out, const struct static_module *module,
			  uintptr_t address)
{
	char name[FTSAN_SYMBOL_MAX];
	uint64_t into = 0;

	if (ftsan_symbol_object(address, name, &into) != 0) {
		ftsan_buf_char(out, '+');
		ftsan_buf_hex(out, address - module->module->bias);
		return;
	}
	ftsan_buf_str(out, name);
	if (into < 8)
		return;
	ftsan_buf_char(out, '[');
	ftsan_buf_u64(out, into / 8);
	ftsan_buf_char(out, ']');
}

/*
 * Names of C++ are as long as they like. A mangled one is left whole: whoever reads the
 * log demangles it, and half of one can't be.
 */
enum { SHOWN = 72 };

static void put_cut(struct ftsan_buf *out, const char *name)
{
	size_t length = strlen(name);

	if (ftsan_str_begins(name, "_Z")) {
		ftsan_buf_str(out, name);
		return;
	}
	ftsan_buf_bytes(out, name, length < SHOWN ? length : SHOWN);
	if (length > SHOWN)
		ftsan_buf_str(out, "...");
}

static void name_code(struct ftsan_buf *out, uintptr_t pc)
{
	const struct ftsan_module *module = ftsan_module_of(pc);
	char name[FTSAN_SYMBOL_MAX];

	if (ftsan_symbol_name(pc, name) == 0) {
		put_cut(out, name);
		return;
	}
	if (module == NULL) {
		ftsan_buf_str(out, "unknown code");
		return;
	}
	ftsan_buf_str(out, ftsan_str_base_name(module->path));
	ftsan_buf_char(out, '+');
	ftsan_buf_hex(out, pc - module->bias);
}

void static_name_function(struct ftsan_buf *out, const struct ftsan_stack *stack)
{
	for (unsigned i = 0; i < stack->n_native; i++) {
		uintptr_t pc = i == 0 ? stack->pc[0] : stack->pc[i] - 1;

		if (static_code_of(pc) != STATIC_CODE_MODULE)
			continue;
		name_code(out, pc);
		return;
	}
	ftsan_buf_str(out, "unknown code");
}

void static_name_lock(struct ftsan_buf *out, uint8_t kind, uintptr_t address,
		      uintptr_t pc)
{
	char name[FTSAN_SYMBOL_MAX];
	uint64_t into;

	ftsan_buf_str(out, ftsan_lock_kind_name(kind));
	if (ftsan_symbol_object(address, name, &into) == 0) {
		ftsan_buf_str(out, " '");
		ftsan_buf_str(out, name);
		ftsan_buf_char(out, '\'');
	} else {
		ftsan_buf_str(out, " at ");
		ftsan_buf_hex(out, address);
	}
	if (pc == 0 || kind == FTSAN_LOCK_LOCK || kind == FTSAN_LOCK_RLOCK)
		return;
	ftsan_buf_str(out, " taken in ");
	name_code(out, pc - 1);
}

void static_put_outer_locks(struct ftsan_buf *out, const struct static_store *store)
{
	if (store->n_held == 0)
		return;
	ftsan_buf_str(out, " Held at the time, but not at every store, or not by its own "
			   "package: ");
	for (unsigned i = 0; i < store->n_held && i < 3; i++) {
		if (i > 0)
			ftsan_buf_str(out, ", ");
		static_name_lock(out, store->held_kind[i], store->held[i].address,
				 store->held_pc[i]);
	}
	ftsan_buf_char(out, '.');
}

void static_race_texts(struct static_race_texts *texts, const struct static_store *held,
		       const struct ftsan_stack *stack, enum ftsan_static_pair pair)
{
	struct ftsan_buf name, description, out;

	ftsan_buf_init(&name, texts->name, sizeof(texts->name));
	ftsan_buf_init(&description, texts->description, sizeof(texts->description));
	static_describe_variable(&name, &description, held->module, held->access.address);
	ftsan_buf_init(&out, texts->title, sizeof(texts->title));
	ftsan_buf_str(&out, "data race on the static ");
	ftsan_buf_str(&out, texts->name);
	ftsan_buf_str(&out, " of ");
	ftsan_buf_str(&out, static_module_name(held->module));
	ftsan_buf_str(&out, ", stored to by ");
	static_name_function(&out, stack);
	(void)ftsan_buf_cstr(&out);
	ftsan_buf_init(&out, texts->note, sizeof(texts->note));
	ftsan_buf_str(&out, ftsan_static_pair_danger(pair));
	if (held->detached)
		ftsan_buf_str(&out,
			      " The thread had let the interpreter go: it is a race "
			      "on builds with a GIL, too.");
	(void)ftsan_buf_cstr(&out);
}
