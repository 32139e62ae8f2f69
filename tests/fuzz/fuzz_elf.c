/* A module on disk that is cut short or garbage, or made to be. */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "scan/elf_scan.h"
#include "stacks/stacks.h"

/* An address of the input's choice: its last bytes, which are no part of the tables. */
static uint64_t address_of(const uint8_t *data, size_t size)
{
	uint64_t address = 0;

	if (size >= sizeof(address))
		memcpy(&address, data + size - sizeof(address), sizeof(address));
	return address;
}

static void scan_file(int fd, uint64_t address)
{
	struct ftsan_elf_facts facts;
	char *hex = malloc(41), *name = malloc(16);

	if (ftsan_elf_file_build_id(fd, hex, 41))
		EXPECT(strspn(hex, "0123456789abcdef") == strlen(hex));
	if (ftsan_elf_function_at(fd, address, name, 16) == 0)
		EXPECT(name[0] != '\0' && strlen(name) < 16);
	(void)ftsan_elf_function_at(fd, 0x1000, name, 16);
	if (ftsan_elf_scan(fd, &facts) == 0)
		EXPECT(strnlen(facts.cython, sizeof(facts.cython)) <
		       sizeof(facts.cython));
	free(hex);
	free(name);
}

/* The same bytes as notes, and as what follows "_cython_". */
static void scan_bytes(const uint8_t *data, size_t size)
{
	void *copy = fuzz_copy(data, size);
	char *to = malloc(9);

	(void)ftsan_elf_build_id(copy, size, 4, to, 9);
	(void)ftsan_elf_build_id(copy, size, 8, to, 1);
	EXPECT(*to == '\0');
	if (ftsan_cython_version(copy, size, to, 9))
		EXPECT(strlen(to) < 9 && strchr(to, '.') != NULL);
	(void)ftsan_cython_version(copy, size, to, 1);
	EXPECT(*to == '\0');
	free(to);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	EXPECT(fd >= 0 && ftruncate(fd, 0) == 0);
	EXPECT(pwrite(fd, data, size, 0) == (ssize_t)size);
	scan_file(fd, address_of(data, size));
	scan_bytes(data, size);
	return 0;
}
