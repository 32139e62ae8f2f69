#include "sampler/cache.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/base.h"

enum {
	/* Changes with everything that a sweep depends on. */
	FORMAT = 2,
	PATH_BYTES = 768,
	NAME_BYTES = 64,
	/* Less text is swept as fast as a file is opened. */
	TEXT_MIN = 64 * 1024,
};

static const char MAGIC[8] = "ftsites";

/* What a file begins with; the sites follow. */
struct header {
	char magic[8];
	uint32_t format;
	uint32_t n_sites;
	uint64_t text_offset, text_bytes;
	uint64_t data_offset;
	uint64_t checksum;
	struct ftsan_sample_traits traits;
	uint64_t reserved;
	char name[NAME_BYTES];
};
_Static_assert(sizeof(struct header) % 16 == 0, "the sites behind it are aligned");

static const char *directory;

void ftsan_cache_init(const char *the_directory)
{
	directory =
		the_directory != NULL && the_directory[0] == '/' ? the_directory : NULL;
}

static uint64_t checksum(const struct ftsan_sample_site *sites, uint32_t n)
{
	uint64_t hash = n, words[2];

	for (uint32_t i = 0; i < n; i++) {
		memcpy(words, (const void *)&sites[i], sizeof(words));
		hash = ftsan_hash_word(ftsan_hash_word(hash, words[0]), words[1]);
	}
	return hash;
}

/* name_of() - the object's: its build-id, or its file's number, size and time. */
static bool name_of(const struct ftsan_module *module, char *name)
{
	struct ftsan_buf text;
	struct stat file;
	int fd;

	memset(name, 0, NAME_BYTES);
	ftsan_buf_init(&text, name, NAME_BYTES);
	if (module->build_id[0] != '\0') {
		ftsan_buf_str(&text, module->build_id);
		return !text.truncated;
	}
	fd = ftsan_sys_open(module->path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0 || ftsan_sys_fstat(fd, &file) != 0) {
		if (fd >= 0)
			(void)ftsan_sys_close(fd);
		return false;
	}
	(void)ftsan_sys_close(fd);
	ftsan_buf_str(&text, "file-");
	ftsan_buf_hex(&text, ftsan_hash_word(ftsan_hash_word((uint64_t)file.st_dev,
							     (uint64_t)file.st_ino),
					     (uint64_t)file.st_size));
	ftsan_buf_char(&text, '-');
	ftsan_buf_hex(&text, ftsan_hash_word((uint64_t)file.st_mtim.tv_sec,
					     (uint64_t)file.st_mtim.tv_nsec));
	return !text.truncated;
}

static bool path_of(const char *name, const char *ending, char *path)
{
	struct ftsan_buf text;

	ftsan_buf_init(&text, path, PATH_BYTES);
	ftsan_buf_str(&text, directory);
	ftsan_buf_char(&text, '/');
	ftsan_buf_str(&text, name);
	ftsan_buf_str(&text, ending);
	(void)ftsan_buf_cstr(&text);
	return !text.truncated;
}

/* is_ours() - nobody else can have written it. */
static bool is_ours(int fd, mode_t type)
{
	uint32_t self = (uint32_t)ftsan_sys_call6(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	struct stat file;

	return ftsan_sys_fstat(fd, &file) == 0 && (file.st_mode & S_IFMT) == type &&
	       file.st_uid == self && (file.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static void fill_header(struct header *header, const struct ftsan_image *image,
			const struct ftsan_sample_site *sites, uint32_t n,
			const struct ftsan_sample_traits *traits)
{
	memset(header, 0, sizeof(*header));
	memcpy(header->magic, MAGIC, sizeof(MAGIC));
	header->format = FORMAT;
	header->n_sites = n;
	header->text_offset = image->text_begin - image->bias;
	header->text_bytes = image->text_end - image->text_begin;
	header->data_offset = image->data_begin - image->bias;
	header->checksum = sites == NULL ? 0 : checksum(sites, n);
	header->traits.locks = traits->locks;
	header->traits.cython = traits->cython;
	header->traits.folds = traits->folds;
}

/* --- loading -------------------------------------------------------------------------
 */

static bool same_object(const struct header *header, const struct ftsan_image *image,
			const char *name)
{
	return memcmp(header->magic, MAGIC, sizeof(MAGIC)) == 0 &&
	       header->format == FORMAT &&
	       header->text_offset == image->text_begin - image->bias &&
	       header->text_bytes == image->text_end - image->text_begin &&
	       header->data_offset == image->data_begin - image->bias &&
	       memcmp(header->name, name, NAME_BYTES) == 0;
}

/* Every site where the text has its byte, in order, unarmed. */
static bool fits_text(const struct ftsan_image *image,
		      const struct ftsan_sample_site *sites, uint32_t n)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < n; i++) {
		uintptr_t at = image->bias + sites[i].offset;

		if (at < image->text_begin || at >= image->text_end ||
		    sites[i].offset < last || sites[i].length == 0 ||
		    atomic_load_explicit(&sites[i].state, memory_order_relaxed) !=
			    FTSAN_SITE_UNARMED ||
		    *(const uint8_t *)at != sites[i].original)
			return false;
		last = (uint64_t)sites[i].offset + 1;
	}
	return true;
}

static bool believe(const struct header *header, size_t bytes,
		    const struct ftsan_image *image, const char *name)
{
	const struct ftsan_sample_site *sites = (const void *)(header + 1);

	return same_object(header, image, name) && header->n_sites > 0 &&
	       bytes == sizeof(*header) + (size_t)header->n_sites * sizeof(*sites) &&
	       header->checksum == checksum(sites, header->n_sites) &&
	       fits_text(image, sites, header->n_sites);
}

static struct header *map(const char *path, size_t *bytes)
{
	int fd = ftsan_sys_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	struct header *header = NULL;
	struct stat file;

	if (fd < 0)
		return NULL;
	if (is_ours(fd, S_IFREG) && ftsan_sys_fstat(fd, &file) == 0 &&
	    (size_t)file.st_size > sizeof(*header)) {
		*bytes = (size_t)file.st_size;
		header = ftsan_sys_map_file(fd, *bytes);
	}
	(void)ftsan_sys_close(fd);
	return header;
}

bool ftsan_cache_load(const struct ftsan_module *module, const struct ftsan_image *image,
		      struct ftsan_sample_site **sites, uint32_t *n_sites,
		      struct ftsan_sample_traits *traits)
{
	char name[NAME_BYTES], path[PATH_BYTES];
	struct header *header;
	size_t bytes;

	if (directory == NULL || image->text_end - image->text_begin < TEXT_MIN ||
	    !name_of(module, name) || !path_of(name, "", path))
		return false;
	header = map(path, &bytes);
	if (header == NULL)
		return false;
	if (!believe(header, bytes, image, name) ||
	    ftsan_sys_protect(header, bytes, PROT_READ | PROT_WRITE) != 0) {
		(void)ftsan_sys_unmap(header, bytes);
		return false;
	}
	*sites = (void *)(header + 1);
	*n_sites = header->n_sites;
	*traits = header->traits;
	return true;
}

/* --- storing -------------------------------------------------------------------------
 */

/* make_directory() - with its parents; ours alone. */
static bool make_directory(void)
{
	char path[PATH_BYTES];
	size_t length = strlen(directory);
	bool ours;
	int fd;

	if (length >= sizeof(path))
		return false;
	memcpy(path, directory, length + 1);
	for (char *slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)ftsan_sys_call6(SYS_mkdir, (long)path, 0700, 0, 0, 0, 0);
		*slash = '/';
	}
	(void)ftsan_sys_call6(SYS_mkdir, (long)path, 0700, 0, 0, 0, 0);
	fd = ftsan_sys_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return false;
	ours = is_ours(fd, S_IFDIR);
	(void)ftsan_sys_close(fd);
	return ours;
}

static bool write_whole(int fd, const void *from, size_t bytes)
{
	const char *at = from;

	while (bytes > 0) {
		ssize_t done = ftsan_sys_write(fd, at, bytes);

		if (done <= 0)
			return false;
		at += done;
		bytes -= (size_t)done;
	}
	return true;
}

void ftsan_cache_store(const struct ftsan_module *module, const struct ftsan_image *image,
		       const struct ftsan_sample_site *sites, uint32_t n_sites,
		       const struct ftsan_sample_traits *traits)
{
	char path[PATH_BYTES], final[PATH_BYTES], ending[32];
	struct header header;
	struct ftsan_buf text;
	bool whole;
	int fd;

	if (directory == NULL || n_sites == 0 ||
	    image->text_end - image->text_begin < TEXT_MIN)
		return;
	fill_header(&header, image, sites, n_sites, traits);
	ftsan_buf_init(&text, ending, sizeof(ending));
	ftsan_buf_char(&text, '.');
	ftsan_buf_i64(&text, ftsan_sys_getpid());
	(void)ftsan_buf_cstr(&text);
	if (!name_of(module, header.name) || !path_of(header.name, ending, path) ||
	    !path_of(header.name, "", final) || !make_directory())
		return;
	fd = ftsan_sys_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			    0600);
	if (fd < 0)
		return;
	whole = write_whole(fd, &header, sizeof(header)) &&
		write_whole(fd, (const void *)sites, n_sites * sizeof(*sites));
	(void)ftsan_sys_close(fd);
	/* Readers see a whole file or none. */
	if (!whole ||
	    ftsan_sys_call6(SYS_rename, (long)path, (long) final, 0, 0, 0, 0) < 0)
		(void)ftsan_sys_call6(SYS_unlink, (long)path, 0, 0, 0, 0, 0);
}
