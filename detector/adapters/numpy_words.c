#include "adapters/numpy_words.h"

#include <string.h>

#include "adapters/adapter_numpy.h"
#include "base/base.h"
#include "findings/findings.h"

/*
 * Offsets behind PyObject_HEAD (numpy/_core/include/numpy/ndarraytypes.h, struct
 * tagPyArrayObject_fields, 2.0 to HEAD of August 2026).
 */
static const struct word {
	const char *name;
	const char *meaning;
	uint8_t offset;
	uint8_t length;
} words[FTSAN_HEADER_WORDS] = {
	[FTSAN_HEADER_FLAGS] = {"flags", "the flags", 48, 4},
	[FTSAN_HEADER_DESCR] = {"descr", "the dtype", 40, 8},
	[FTSAN_HEADER_ND] = {"nd", "the number of dimensions", 8, 4},
	[FTSAN_HEADER_DIMENSIONS] = {"dimensions", "the pointer to the dimensions", 16,
				     8},
	[FTSAN_HEADER_STRIDES] = {"strides", "the pointer to the strides", 24, 8},
	[FTSAN_HEADER_BASE] = {"base", "the base", 32, 8},
	/* A list of what was told of the array's buffer; under a lock since 2.4.2. */
	[FTSAN_HEADER_BUFFER_INFO] = {"_buffer_info", "the list of buffer requests", 64,
				      8},
};

static void describe_word(const struct word *word, uintptr_t header,
			  struct ftsan_object *out)
{
	struct ftsan_buf text;

	ftsan_buf_init(&text, out->name, sizeof(out->name));
	ftsan_buf_str(&text, word->name);
	(void)ftsan_buf_cstr(&text);
	ftsan_buf_init(&text, out->description, sizeof(out->description));
	ftsan_buf_str(&text, word->meaning);
	ftsan_buf_str(&text, " of a numpy.ndarray");
	(void)ftsan_buf_cstr(&text);
	ftsan_numpy_describe_header(header, out);
}

void ftsan_header_describe(const struct ftsan_watchpoint *point, struct ftsan_object *out)
{
	describe_word(&words[point->tag < FTSAN_HEADER_WORDS ? point->tag : 0],
		      point->object, out);
}

bool ftsan_header_name_field(const char *type, uintptr_t object, uint64_t offset,
			     struct ftsan_object *out)
{
	/* Not watched: it changes with every resize and no operation but that. */
	static const struct word data = {
		.name = "data", .meaning = "the pointer to the data", .length = 8};

	if (strcmp(type, "numpy.ndarray") != 0 || offset < ftsan_numpy_head())
		return false;
	offset -= ftsan_numpy_head();
	if (offset == data.offset) {
		describe_word(&data, object, out);
		return true;
	}
	for (unsigned i = 0; i < FTSAN_HEADER_WORDS; i++) {
		if (offset < words[i].offset ||
		    offset >= (uint64_t)words[i].offset + words[i].length)
			continue;
		describe_word(&words[i], object, out);
		return true;
	}
	return false;
}

struct ftsan_watchpoint ftsan_header_point(uintptr_t header, unsigned word)
{
	return (struct ftsan_watchpoint){
		.address = header + ftsan_numpy_head() + words[word].offset,
		.object = header,
		.tag = word,
		.length = words[word].length,
	};
}
