#include "sampler/focus.h"

#include <string.h>

#include "base/base.h"
#include "sampler/modules.h"

enum { BUILD_DIGITS = 8 };

static const char *option = "";

void ftsan_focus_init(const char *given)
{
	option = given;
}

bool ftsan_focus_on(void)
{
	return option[0] != '\0';
}

static const char *base_of(const struct ftsan_sample_module *module, size_t *length)
{
	const char *base = ftsan_str_base_name(module->module->path);

	*length = strcspn(base, ".");
	return base;
}

static bool hex(const char *text, uint32_t *value)
{
	*value = 0;
	if (text[0] != '0' || text[1] != 'x')
		return false;
	for (text += 2; *text != '\0' && *text != ','; text++) {
		const char *digit = strchr("0123456789abcdef", *text);

		if (digit == NULL || *value >> 28 != 0)
			return false;
		*value = *value << 4 | (uint32_t)(digit - "0123456789abcdef");
	}
	return true;
}

/* same_build() - @text: behind the "@". A module without a build-id is what it is. */
static bool same_build(const struct ftsan_sample_module *module, const char *text)
{
	size_t digits = strcspn(text, "+,");

	return strncmp(module->module->build_id, text, digits) == 0;
}

struct ftsan_sample_site *ftsan_focus_next(const struct ftsan_sample_module *module,
					   uint32_t *at, bool *whole)
{
	size_t length;
	const char *name = base_of(module, &length);

	while (option[*at] != '\0') {
		const char *token = option + *at;
		size_t size = strcspn(token, ",");
		const char *plus = memchr(token, '+', size);
		struct ftsan_sample_site *site = NULL;
		uint32_t offset;

		*at += (uint32_t)(size + (token[size] == ','));
		if (strncmp(token, name, length) != 0 || token[length] != '@' ||
		    plus == NULL)
			continue;
		if (same_build(module, token + length + 1) && hex(plus + 1, &offset))
			site = ftsan_sample_site_at(module, module->bias + offset);
		if (site != NULL)
			return site;
		*whole = true;
	}
	return NULL;
}

bool ftsan_focus_put(struct ftsan_buf *out, uintptr_t pc)
{
	const struct ftsan_sample_module *module = ftsan_sample_module_of(pc);
	size_t length;
	const char *name;

	if (module == NULL || ftsan_sample_site_at(module, pc) == NULL)
		return false;
	name = base_of(module, &length);
	ftsan_buf_bytes(out, name, length);
	ftsan_buf_char(out, '@');
	ftsan_buf_bytes(out, module->module->build_id,
			strnlen(module->module->build_id, BUILD_DIGITS));
	ftsan_buf_str(out, "+");
	ftsan_buf_hex(out, pc - module->bias);
	return true;
}
