/* FTSAN_OPTIONS, which anybody may have set. */
#include "base/base.h"
#include "fuzz.h"

static bool is_ended(const char *text)
{
	return memchr(text, '\0', FTSAN_OPTION_STRING_MAX) != NULL;
}

/* Whatever the text was, every member is within its range. */
static void check_ranges(const struct ftsan_options *options)
{
#define FTSAN_OPTION(type, name, default_, min, max, unit, help)                         \
	FTSAN_CHECK_##type(name, min, max)
#define FTSAN_CHECK_bool(name, min, max) EXPECT(*(const char *)&options->name <= 1);
#define FTSAN_CHECK_uint(name, min, max)                                                 \
	EXPECT(options->name + 1ULL > (min) && options->name <= (max));
#define FTSAN_CHECK_string(name, min, max) EXPECT(is_ended(options->name));
#include "base/options.def"
#undef FTSAN_OPTION
	EXPECT(ftsan_options_race(options) || ftsan_options_latent(options));
}

/* A line for each bad entry, and nothing that would move a terminal's cursor. */
static void check_errors(const struct ftsan_buf *errors, unsigned bad)
{
	unsigned lines = 0;

	EXPECT(errors->length <= errors->capacity);
	for (size_t i = 0; i < errors->length; i++) {
		unsigned char c = (unsigned char)errors->text[i];

		EXPECT(c == '\n' || (c >= 0x20 && c != 0x7f));
		lines += c == '\n';
	}
	EXPECT(errors->truncated ? lines <= bad : lines == bad);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ftsan_options options;
	struct ftsan_buf errors;
	char *storage = malloc(4096), *text = fuzz_text(data, size);
	unsigned bad;

	ftsan_buf_init(&errors, storage, 4096);
	ftsan_options_init(&options);
	bad = ftsan_options_parse(&options, text, &errors);
	check_ranges(&options);
	check_errors(&errors, bad);
	free(text);
	free(storage);
	return 0;
}
