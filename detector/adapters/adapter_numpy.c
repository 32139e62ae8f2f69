#include "adapters/adapter_numpy.h"

#include <string.h>

#include "base/base.h"
#include "pages/pages.h"

/* Field offsets behind PyObject_HEAD (ndarraytypes.h, struct tagPyArrayObject_fields). */
enum { AFTER_ND = 8, AFTER_DIMS = 16, AFTER_DESCR = 40 };
/* And of PyArray_Descr (ndarraytypes.h, struct _PyArray_DescrNumPy2). */
enum { DESCR_KIND = 8, DESCR_ELSIZE = 24 };

static uint32_t head; /* sizeof(PyObject); 0 until NumPy is there */

void ftsan_numpy_init(uint32_t object_size)
{
	head = object_size;
}

uint32_t ftsan_numpy_head(void)
{
	return head;
}

uint32_t ftsan_numpy_dims_offset(void)
{
	return head + AFTER_DIMS;
}

void *ftsan_numpy_buffer(const void *array)
{
	void *dims;

	memcpy(&dims, (const char *)array + head + AFTER_DIMS, sizeof(dims));
	return ftsan_guard_owns(dims) ? dims : NULL;
}

static bool points_at(uintptr_t header, uintptr_t buffer)
{
	uintptr_t dims;

	return header != 0 && ftsan_safe_ptr(header + head + AFTER_DIMS, &dims) &&
	       dims == buffer;
}

/* page_read() - the page may be closed to us by a collision window. */
static bool page_read(void *to, uintptr_t from, size_t size)
{
	return ftsan_mem_read(to, from, size) == 0 ||
	       ftsan_safe_read(to, (const void *)from, size) == 0;
}

static void describe_shape(uint32_t slot, uint32_t nd, struct ftsan_object *out)
{
	if (nd > FTSAN_VIEW_DIMS_MAX || nd * 8 > ftsan_slot_at(slot)->size ||
	    !page_read(out->shape, ftsan_slot_buffer(slot), nd * 8))
		return;
	out->n_shape = (int)nd;
}

static const char *kind_name(char kind)
{
	switch (kind) {
	case 'i':
		return "int";
	case 'u':
		return "uint";
	case 'f':
		return "float";
	case 'c':
		return "complex";
	default:
		return NULL;
	}
}

static void describe_dtype(uintptr_t object, struct ftsan_object *out)
{
	struct ftsan_buf buf;
	uintptr_t descr;
	uint64_t elsize;
	char kind;

	if (!ftsan_safe_ptr(object + head + AFTER_DESCR, &descr) ||
	    ftsan_safe_read(&kind, (const void *)(descr + head + DESCR_KIND), 1) != 0 ||
	    !ftsan_safe_u64(descr + head + DESCR_ELSIZE, &elsize))
		return;
	ftsan_buf_init(&buf, out->dtype, sizeof(out->dtype));
	if (kind == 'b') {
		ftsan_buf_str(&buf, "bool");
	} else if (kind_name(kind) != NULL) {
		ftsan_buf_str(&buf, kind_name(kind));
		ftsan_buf_u64(&buf, elsize * 8);
	} else {
		ftsan_buf_char(&buf, kind);
		ftsan_buf_u64(&buf, elsize);
	}
	(void)ftsan_buf_cstr(&buf);
}

void ftsan_numpy_describe_header(uintptr_t header, struct ftsan_object *out)
{
	uintptr_t dims;
	int32_t nd;

	describe_dtype(header, out);
	if (ftsan_safe_i32(header + head + AFTER_ND, &nd) && nd >= 0 &&
	    nd <= FTSAN_VIEW_DIMS_MAX &&
	    ftsan_safe_ptr(header + head + AFTER_DIMS, &dims) &&
	    (nd == 0 || page_read(out->shape, dims, (size_t)nd * 8)))
		out->n_shape = nd;
}

static void name_word(uint32_t word, uint32_t nd, struct ftsan_object *out)
{
	struct ftsan_buf name, text;

	ftsan_buf_init(&name, out->name, sizeof(out->name));
	ftsan_buf_init(&text, out->description, sizeof(out->description));
	ftsan_buf_str(&name, word < nd ? "dims[" : "strides[");
	ftsan_buf_u64(&name, word < nd ? word : word - nd);
	ftsan_buf_char(&name, ']');
	ftsan_buf_str(&text, word < nd ? "dimension " : "stride ");
	ftsan_buf_u64(&text, word < nd ? word : word - nd);
	ftsan_buf_str(&text, " of a numpy.ndarray");
	(void)ftsan_buf_cstr(&name);
	(void)ftsan_buf_cstr(&text);
}

static void describe(uint32_t slot, uintptr_t address, struct ftsan_object *out)
{
	uintptr_t object =
		atomic_load_explicit(&ftsan_slot_at(slot)->object, memory_order_relaxed);
	/* The header is gone after a free: then the size tells, as for a new array. */
	uint32_t nd = ftsan_slot_at(slot)->size / 16;
	uint32_t word = (uint32_t)(address - ftsan_slot_buffer(slot)) / 8;
	int32_t header_nd;

	if (points_at(object, ftsan_slot_buffer(slot)) &&
	    ftsan_safe_i32(object + head + AFTER_ND, &header_nd) && header_nd > 0 &&
	    header_nd <= FTSAN_NUMPY_DIMS_MAX) {
		nd = (uint32_t)header_nd;
		describe_dtype(object, out);
	}
	out->word = (int)word;
	name_word(word, nd, out);
	describe_shape(slot, nd, out);
}

const struct ftsan_adapter ftsan_adapter_numpy = {
	.name = "numpy",
	.extent = FTSAN_EXTENT_BYTES,
	.undoes = true,
	.ageing = FTSAN_AGES_FOR_RACES,
	.short_lived = true,
	.points_at = points_at,
	.describe = describe,
};
