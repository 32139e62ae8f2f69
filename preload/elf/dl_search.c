#include "elf/dl_search.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>

#include "base/base.h"
#include "hooks/hooks.h"

struct search_list {
	Dl_serinfo *info;
	size_t size_bytes;
};

static bool list_get(struct search_list *list, struct link_map *map)
{
	Dl_serinfo head;

	if (dlinfo(map, RTLD_DI_SERINFOSIZE, &head) != 0)
		return false;
	list->size_bytes = head.dls_size;
	list->info = ftsan_sys_map(head.dls_size);
	if (!list->info)
		return false;
	list->info->dls_size = head.dls_size;
	list->info->dls_cnt = head.dls_cnt;
	if (dlinfo(map, RTLD_DI_SERINFO, list->info) == 0)
		return true;
	ftsan_sys_unmap(list->info, list->size_bytes);
	return false;
}

static bool list_has(const struct search_list *list, const char *directory)
{
	for (unsigned i = 0; i < list->info->dls_cnt; i++)
		if (strcmp(list->info->dls_serpath[i].dls_name, directory) == 0)
			return true;
	return false;
}

/* The loader passes over objects of another architecture, and only over those. */
static bool loadable(const char *path)
{
	Elf64_Ehdr header;
	int fd = ftsan_sys_open(path, O_RDONLY | O_CLOEXEC, 0);
	ssize_t n;

	if (fd < 0)
		return false;
	n = ftsan_sys_read(fd, &header, sizeof(header));
	ftsan_sys_close(fd);
	if (n != (ssize_t)sizeof(header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return true; /* its error message is the loader's to give */
	return header.e_ident[EI_CLASS] == ELFCLASS64 &&
	       header.e_machine == FTSAN_ELF_MACHINE;
}

static bool join(char *path, const char *directory, const char *name)
{
	struct ftsan_buf buf;

	ftsan_buf_init(&buf, path, PATH_MAX);
	ftsan_buf_str(&buf, directory);
	ftsan_buf_char(&buf, '/');
	ftsan_buf_str(&buf, name);
	ftsan_buf_char(&buf, '\0');
	return !buf.truncated;
}

/*
 * The first directory of the caller's list that has the file decides. If it is one of
 * our own list too (LD_LIBRARY_PATH, the system's), the loader finds it by itself, in
 * the same order and with its cache.
 */
static bool search_lists(const struct search_list *callers,
			 const struct search_list *ours, const char *name, char *path)
{
	for (unsigned i = 0; i < callers->info->dls_cnt; i++) {
		const char *directory = callers->info->dls_serpath[i].dls_name;

		if (join(path, directory, name) && loadable(path))
			return !list_has(ours, directory);
	}
	return false;
}

static struct link_map *map_of(const void *address)
{
	struct link_map *map = NULL;
	Dl_info info;

	return dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) ? map : NULL;
}

static bool search_name(struct link_map *caller, const char *name, char *path)
{
	struct link_map *self = map_of((const void *)map_of);
	struct search_list callers, ours;
	bool found;

	if (!self || !list_get(&callers, caller))
		return false;
	if (!list_get(&ours, self)) {
		ftsan_sys_unmap(callers.info, callers.size_bytes);
		return false;
	}
	found = search_lists(&callers, &ours, name, path);
	ftsan_sys_unmap(ours.info, ours.size_bytes);
	ftsan_sys_unmap(callers.info, callers.size_bytes);
	return found;
}

/* Length of "$ORIGIN" or "${ORIGIN}" at @text, 0 if it is neither. */
static size_t origin_token(const char *text)
{
	if (strncmp(text, "${ORIGIN}", 9) == 0)
		return 9;
	if (strncmp(text, "$ORIGIN", 7) == 0 && (text[7] == '/' || text[7] == '\0'))
		return 7;
	return 0;
}

static bool expand_origin(struct link_map *caller, const char *file, char *path)
{
	char origin[2 * PATH_MAX];
	struct ftsan_buf buf;
	bool expanded = false;

	/* The loader copies without a bound; its own strings are no longer than this. */
	if (dlinfo(caller, RTLD_DI_ORIGIN, origin) != 0)
		return false;
	ftsan_buf_init(&buf, path, PATH_MAX);
	while (*file) {
		size_t token = origin_token(file);

		if (token)
			ftsan_buf_str(&buf, origin);
		else
			ftsan_buf_char(&buf, *file);
		expanded |= token > 0;
		file += token ? token : 1;
	}
	ftsan_buf_char(&buf, '\0');
	return expanded && !buf.truncated;
}

static bool has_search_path(const struct link_map *map)
{
	for (const Elf64_Dyn *dynamic = map->l_ld; dynamic->d_tag != DT_NULL; dynamic++)
		if (dynamic->d_tag == DT_RPATH || dynamic->d_tag == DT_RUNPATH)
			return true;
	return false;
}

bool ftsan_dl_search(const void *caller, const char *file, char *path)
{
	bool bare = !strchr(file, '/');
	struct link_map *map;
	Lmid_t namespace;

	if (file[0] == '\0' || (!bare && !strchr(file, '$')))
		return false;
	map = map_of(caller);
	if (!map || dlinfo(map, RTLD_DI_LMID, &namespace) != 0 || namespace != LM_ID_BASE)
		return false;
	if (!bare)
		return expand_origin(map, file, path);
	return has_search_path(map) && search_name(map, file, path);
}
