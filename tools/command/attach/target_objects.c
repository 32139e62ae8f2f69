#include "attach/target_objects.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attach/elf_image.h"
#include "base/base.h"
#include "common/common.h"

static void add_mapping(struct ftsan_target *target, const char *line)
{
	struct ftsan_mapping mapping = {.begin = 0};
	char flags[8];
	int at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %n",
		   &mapping.begin, &mapping.end, flags, &mapping.offset, &at) != 4)
		return;
	mapping.readable = flags[0] == 'r';
	mapping.executable = flags[2] == 'x';
	mapping.path = ftsan_xstrdup(line + at);
	mapping.path[strcspn(mapping.path, "\n")] = '\0';
	target->mappings = ftsan_xgrow(target->mappings, target->n_mappings,
				       &target->capacity, sizeof(mapping));
	target->mappings[target->n_mappings++] = mapping;
}

int ftsan_target_read_mappings(struct ftsan_target *target)
{
	char path[FTSAN_PROC_PATH];
	char *line = NULL;
	size_t room = 0;
	FILE *maps = fopen(ftsan_proc_path(target, "maps", path), "re");

	if (maps == NULL)
		return -errno;
	while (getline(&line, &room, maps) > 0)
		add_mapping(target, line);
	free(line);
	fclose(maps);
	return 0;
}

/* Each loaded object begins with a mapping of its file's first page. */
static bool is_object(const struct ftsan_mapping *mapping)
{
	return mapping->offset == 0 && mapping->readable && mapping->path[0] == '/';
}

static bool read_memory(void *target, uint64_t address, void *to, size_t size)
{
	return ftsan_target_read(target, address, to, size);
}

static bool open_image(const struct ftsan_target *target,
		       const struct ftsan_mapping *mapping, struct ftsan_elf_image *image)
{
	return is_object(mapping) &&
	       ftsan_elf_image_open(image, read_memory, (void *)(uintptr_t)target,
				    mapping->begin) == 0;
}

static uint64_t symbol_in(const struct ftsan_target *target,
			  const struct ftsan_mapping *mapping, const char *name)
{
	struct ftsan_elf_image image;

	return open_image(target, mapping, &image) ? ftsan_elf_image_symbol(&image, name)
						   : 0;
}

uint64_t ftsan_target_symbol(const struct ftsan_target *target, const char *object,
			     const char *name)
{
	uint64_t address = 0;

	for (size_t i = 0; address == 0 && i < target->n_mappings; i++) {
		const struct ftsan_mapping *mapping = &target->mappings[i];

		if (object != NULL && strncmp(ftsan_str_base_name(mapping->path), object,
					      strlen(object)) != 0)
			continue;
		address = symbol_in(target, mapping, name);
	}
	return address;
}

uint64_t ftsan_target_cave(const struct ftsan_target *target, size_t size)
{
	uint64_t cave = 0;

	for (size_t i = 0; cave == 0 && i < target->n_mappings; i++) {
		struct ftsan_elf_image image;

		/* The loader uses the rests of its pages for itself. */
		if (strncmp(ftsan_str_base_name(target->mappings[i].path), "ld-", 3) !=
			    0 &&
		    open_image(target, &target->mappings[i], &image))
			cave = ftsan_elf_image_cave(&image, size);
	}
	return cave;
}

const struct ftsan_mapping *ftsan_target_mapping(const struct ftsan_target *target,
						 uint64_t address)
{
	for (size_t i = 0; i < target->n_mappings; i++)
		if (address >= target->mappings[i].begin &&
		    address < target->mappings[i].end)
			return &target->mappings[i];
	return NULL;
}

void ftsan_target_find_python(struct ftsan_target *target)
{
	for (size_t i = 0; target->python == NULL && i < target->n_mappings; i++) {
		const struct ftsan_mapping *mapping = &target->mappings[i];
		uint64_t version;

		if (strcmp(mapping->path, target->exe) != 0 &&
		    strstr(mapping->path, "/libpython") == NULL)
			continue;
		if (symbol_in(target, mapping, "_PyRuntime") == 0)
			continue;
		target->python = mapping->path;
		target->python_begin = mapping->begin;
		target->has_malloc = symbol_in(target, mapping, "malloc") != 0;
		version = symbol_in(target, mapping, "Py_Version");
		if (version == 0 || !ftsan_target_read(target, version, &target->version,
						       sizeof(target->version)))
			target->version = 0;
	}
}
