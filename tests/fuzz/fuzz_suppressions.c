/* A file of suppressions, read and held against a finding. */
#include "fuzz.h"
#include "suppressions/suppress.h"

static struct ftsan_view_frame frames[] = {
	{.module = "/usr/lib/python3/_mcp.cpython-313t-x86_64-linux-gnu.so",
	 .function = "PyArray_Repeat",
	 .offset = 0x18bfe0},
	{.python = true,
	 .file = "/home/me/fromnumeric.py",
	 .function = "repeat",
	 .line = 57},
};
static struct ftsan_view_stack stacks[] = {
	{.role = "write", .tid = 1, .frames = frames, .n_frames = 2},
	{.role = "alloc", .tid = 2, .frames = frames + 1, .n_frames = 1},
};

static void check_list(const struct ftsan_suppressions *list)
{
	for (size_t i = 0; i < list->n; i++) {
		EXPECT(list->list[i].type < FTSAN_SUPPRESS_TYPES);
		EXPECT(list->list[i].pattern[0] != '\0');
		EXPECT(list->list[i].text[0] != '\0' && list->list[i].place[0] != '\0');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ftsan_view view = {.kind = "race",
				  .confidence = "confirmed",
				  .fingerprint = "902d65892d8539e6",
				  .stacks = stacks,
				  .n_stacks = 2,
				  .n_shape = -1,
				  .word = -1};
	struct ftsan_suppressions list = {.n = 0};
	FILE *file = size == 0 ? NULL : fmemopen((void *)(uintptr_t)data, size, "r");
	json_t *tests;

	if (file == NULL)
		return 0;
	(void)ftsan_suppressions_read_stream(&list, file, "fuzz", "2026-11-22");
	check_list(&list);
	tests = json_pack("[s, s]", "test_a.py::test_b", "test_a.py::test_c[1]");
	(void)ftsan_suppressions_match(&list, &view, tests);
	(void)ftsan_suppressions_match_tests(&list, view.fingerprint, tests);
	json_decref(tests);
	ftsan_suppressions_release(&list);
	fclose(file);
	return 0;
}
