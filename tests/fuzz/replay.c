/*
 * Hands every file of some directories to a fuzz target: what was found once is tried
 * with every compiler, libFuzzer or not.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { INPUT_MAX_BYTES = 1 << 20 };

static unsigned inputs;

static void replay_file(const char *path)
{
	static uint8_t bytes[INPUT_MAX_BYTES];
	FILE *file = fopen(path, "rb");
	uint8_t *input;
	size_t size;

	EXPECT(file != NULL);
	size = fread(bytes, 1, sizeof(bytes), file);
	EXPECT(!ferror(file) && size < sizeof(bytes));
	fclose(file);
	/* Standard output is lost if the target ends the process, this is not. */
	fprintf(stderr, "%s\n", path);
	input = fuzz_copy(bytes, size);
	LLVMFuzzerTestOneInput(input, size);
	free(input);
	inputs++;
}

static void replay_directory(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;

	EXPECT(directory != NULL);
	while ((entry = readdir(directory)) != NULL) {
		char name[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		replay_file(name);
	}
	closedir(directory);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct stat status;

		EXPECT(stat(argv[i], &status) == 0);
		if (S_ISDIR(status.st_mode))
			replay_directory(argv[i]);
		else
			replay_file(argv[i]);
	}
	/* A corpus that is not there would be a silent success. */
	EXPECT(inputs > 0);
	printf("%u inputs\n", inputs);
	return 0;
}
