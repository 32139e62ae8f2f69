#include "sampler/sweep.h"

#include <string.h>

#include "base/base.h"
#include "decode/decode.h"

/* DW_EH_PE_datarel | sdata4 for the table, which every linker writes (LSB core, 10.6). */
enum { TABLE_ENCODING = 0x3b, VERSION = 1, LENGTH_64 = -1 };

struct eh_header {
	uint8_t version, pointer_encoding, count_encoding, table_encoding;
	int32_t pointer;
	uint32_t count;
	struct {
		int32_t function, entry;
	} table[];
};

struct sweep {
	const struct ftsan_image *image;
	struct ftsan_sample_site *sites;
	uint32_t n, capacity;
	struct ftsan_sample_traits *traits;
};

static void find_data(const struct dl_phdr_info *info, struct ftsan_image *out)
{
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_W) != 0) {
			if (out->data_begin == 0)
				out->data_begin = begin;
			out->data_end = begin + segment->p_memsz;
		}
	}
	/* Relocated once, then read-only: at the beginning of what is writable. */
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_GNU_RELRO && begin <= out->data_begin)
			out->data_begin = begin + segment->p_memsz;
	}
}

bool ftsan_image_read(const struct dl_phdr_info *info, struct ftsan_image *out)
{
	unsigned executable = 0;

	*out = (struct ftsan_image){.bias = info->dlpi_addr};
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_GNU_EH_FRAME)
			out->eh_frame_hdr = (const void *)begin;
		if (segment->p_type != PT_LOAD)
			continue;
		if ((segment->p_flags & PF_X) != 0) {
			out->text_begin = begin;
			out->text_end = begin + segment->p_memsz;
			executable++;
		} else if ((segment->p_flags & PF_W) == 0 && executable > 0) {
			out->constants_begin = begin;
			out->constants_end = begin + segment->p_memsz;
		}
		if (out->read_begin == 0 || begin < out->read_begin)
			out->read_begin = begin;
		if (begin + segment->p_memsz > out->read_end)
			out->read_end = begin + segment->p_memsz;
	}
	find_data(info, out);
	return executable == 1;
}

/* --- functions -----------------------------------------------------------------------
 */

static bool readable(const struct ftsan_image *image, const void *from, size_t size)
{
	uintptr_t at = (uintptr_t)from;

	return at >= image->read_begin && at <= image->read_end &&
	       size <= image->read_end - at;
}

/*
 * function_range() - of one line of the table. The end is in the function's entry of
 * .eh_frame; where that has an address in another form than usual, it is the next
 * function's beginning.
 */
static bool function_range(const struct ftsan_image *image,
			   const struct eh_header *header, uint32_t line,
			   uintptr_t *begin, uintptr_t *end)
{
	struct {
		int32_t length, cie, function;
		uint32_t size;
	} entry;
	uintptr_t base = (uintptr_t)header, at;

	at = base + (uintptr_t)(intptr_t)header->table[line].entry;
	*begin = base + (uintptr_t)(intptr_t)header->table[line].function;
	if (!readable(image, (const void *)at, sizeof(entry)))
		return false;
	memcpy(&entry, (const void *)at, sizeof(entry));
	if (entry.length == 0 || entry.length == LENGTH_64)
		return false;
	if (at + 8 + (uintptr_t)(intptr_t)entry.function == *begin)
		*end = *begin + entry.size;
	else if (line + 1 < header->count)
		*end = base + (uintptr_t)(intptr_t)header->table[line + 1].function;
	else
		return false;
	return *begin >= image->text_begin && *end <= image->text_end && *begin < *end;
}

static const struct eh_header *header_of(const struct ftsan_image *image)
{
	const struct eh_header *header = image->eh_frame_hdr;

	if (header == NULL || !readable(image, header, sizeof(*header)) ||
	    header->version != VERSION || header->table_encoding != TABLE_ENCODING ||
	    header->count > (image->read_end - image->read_begin) / 8 ||
	    !readable(image, header,
		      sizeof(*header) + header->count * sizeof(header->table[0])))
		return NULL;
	return header;
}

/* --- instructions --------------------------------------------------------------------
 */

/* A lock on the word behind the first two of an object: Py_INCREF of another thread's. */
static bool is_reference_count(const struct ftsan_shape *shape)
{
	enum { OB_REF_SHARED = 0x10 };

	return shape->displacement == OB_REF_SHARED &&
	       shape->index == FTSAN_SHAPE_NO_REGISTER && shape->base != FTSAN_SHAPE_RIP;
}

/* place() - the displacement as a site has it; false: nothing there ever changes. */
static bool place(const struct sweep *sweep, uintptr_t at,
		  const struct ftsan_shape *shape, int32_t *displacement)
{
	const struct ftsan_image *image = sweep->image;
	int64_t value = shape->displacement;

	if (shape->base == FTSAN_SHAPE_RIP) {
		uintptr_t target = at + shape->length + (uintptr_t)value;

		if (target < image->data_begin || target >= image->data_end)
			return false;
		value = (int64_t)(target - image->bias);
	}
	*displacement = (int32_t)value;
	return *displacement == value;
}

static void add_site(struct sweep *sweep, uintptr_t at, const struct ftsan_shape *shape)
{
	int32_t displacement;

	if (sweep->n == sweep->capacity || at - sweep->image->bias > UINT32_MAX ||
	    !place(sweep, at, shape, &displacement))
		return;
	sweep->sites[sweep->n++] = (struct ftsan_sample_site){
		.offset = (uint32_t)(at - sweep->image->bias),
		.displacement = displacement,
		.base = shape->base,
		.index = shape->index,
		.scale = shape->scale,
		.length = shape->length,
		.size = (uint8_t)shape->size,
		.traits = (uint8_t)((shape->reads ? FTSAN_SITE_READS : 0) |
				    (shape->writes ? FTSAN_SITE_WRITES : 0) |
				    shape->form << FTSAN_SITE_FORM_SHIFT),
		.original = *(const uint8_t *)at,
	};
}

static void sweep_function(struct sweep *sweep, uintptr_t at, uintptr_t end)
{
	struct ftsan_shape shape;
	uint32_t before = sweep->n, locks = 0;

	while (at < end) {
		if (!ftsan_shape_decode(&shape, (const unsigned char *)at, end - at)) {
			sweep->n = before;
			return;
		}
		if (shape.access)
			add_site(sweep, at, &shape);
		locks += shape.locks && !is_reference_count(&shape);
		at += shape.length;
	}
	sweep->traits->locks += locks;
	for (uint32_t i = before; locks > 0 && i < sweep->n; i++)
		sweep->sites[i].traits |= FTSAN_SITE_LOCKED;
}

/* --- what made it --------------------------------------------------------------------
 */

/* Cython's modules name this in their read-only data, whatever else was stripped. */
static bool is_cython(const struct ftsan_image *image)
{
	static const char mark[] = "cython_runtime";
	uintptr_t at = image->constants_begin, end = image->constants_end;

	while (at < end && end - at > sizeof(mark)) {
		const char *hit =
			memchr((const void *)at, mark[0], end - at - sizeof(mark));

		if (hit == NULL)
			return false;
		if (memcmp(hit, mark, sizeof(mark)) == 0)
			return true;
		at = (uintptr_t)hit + 1;
	}
	return false;
}

uint32_t ftsan_sweep(const struct ftsan_image *image, struct ftsan_sample_site **sites,
		     struct ftsan_sample_traits *traits)
{
	/* The shortest instruction that accesses memory has two bytes. */
	uint32_t capacity = (uint32_t)((image->text_end - image->text_begin) / 2);
	size_t bytes = (size_t)capacity * sizeof(struct ftsan_sample_site), used;
	struct sweep sweep = {.image = image, .capacity = capacity, .traits = traits};
	const struct eh_header *header = header_of(image);
	uintptr_t last = 0;

	*sites = NULL;
	if (header == NULL || capacity == 0)
		return 0;
	sweep.sites = ftsan_sys_map(bytes);
	if (sweep.sites == NULL)
		return 0;
	for (uint32_t i = 0; i < header->count; i++) {
		uintptr_t begin, end;

		/* In order, and without overlaps: so are the sites then. */
		if (!function_range(image, header, i, &begin, &end) || begin < last)
			continue;
		sweep_function(&sweep, begin, end);
		last = end;
	}
	used = (sweep.n * sizeof(struct ftsan_sample_site) + FTSAN_PAGE - 1) &
	       ~(FTSAN_PAGE - 1);
	if (used < bytes)
		(void)ftsan_sys_unmap((char *)sweep.sites + used,
				      ((bytes + FTSAN_PAGE - 1) & ~(FTSAN_PAGE - 1)) -
					      used);
	traits->cython = is_cython(image);
	*sites = sweep.n == 0 ? NULL : sweep.sites;
	return sweep.n;
}

uint32_t ftsan_sweep_functions(const void *eh_frame_hdr, uint32_t from, uintptr_t *begins,
			       uint32_t n)
{
	const struct eh_header *there = eh_frame_hdr;
	struct eh_header header;
	uint32_t read = 0;

	if (there == NULL || ftsan_safe_read(&header, there, sizeof(header)) != 0 ||
	    header.version != VERSION || header.table_encoding != TABLE_ENCODING ||
	    from >= header.count)
		return 0;
	if (n > header.count - from)
		n = header.count - from;
	for (; read < n; read++) {
		int32_t function;

		if (ftsan_safe_read(&function, &there->table[from + read].function,
				    sizeof(function)) != 0)
			break;
		begins[read] = (uintptr_t)there + (uintptr_t)(intptr_t)function;
	}
	return read;
}
