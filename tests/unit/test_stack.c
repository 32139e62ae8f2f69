#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/base.h"
#include "stacks/stack_guard.h"
#include "stacks/stacks.h"

/* Program counters of a make-believe program: what is_eval() takes them for. */
enum {
	PC_NATIVE = 0x1000,
	PC_LOOP = 0x2000,
	PC_INNER = 0x3000,
	PC_OWN = 0x4000,
};

static enum ftsan_eval is_eval(uintptr_t pc)
{
	switch (pc & ~(uintptr_t)0xfff) {
	case PC_LOOP:
		return FTSAN_EVAL_LOOP;
	case PC_INNER:
		return FTSAN_EVAL_INNER;
	default:
		return FTSAN_EVAL_NONE;
	}
}

static struct ftsan_stack stack;
static struct ftsan_frame woven[FTSAN_NATIVE_MAX + FTSAN_PYFRAME_MAX];

static void add_native(uintptr_t pc)
{
	stack.pc[stack.n_native++] = pc;
}

static void add_python(const char *name, bool entry)
{
	struct ftsan_pyframe *frame = &stack.python[stack.n_python++];

	strcpy(frame->function, name);
	frame->entry = entry;
}

/* woven_is() - "n" for a native frame, a Python frame's name otherwise */
static void woven_is(ftsan_is_eval_fn eval, const char *expected)
{
	unsigned count = ftsan_stack_weave(&stack, eval, woven);
	char text[256] = "";

	for (unsigned i = 0; i < count; i++)
		strcat(text, woven[i].python ? woven[i].frame->function : "n");
	ck_assert_str_eq(text, expected);
}

static void setup(void)
{
	memset(&stack, 0, sizeof(stack));
}

START_TEST(weave_puts_python_where_the_loop_was)
{
	add_native(PC_NATIVE + 5);
	add_native(PC_LOOP + 5);
	add_native(PC_NATIVE + 5);
	add_python("A", false);
	add_python("B", true);
	woven_is(is_eval, "nABn");
	ck_assert_uint_eq(woven[0].pc, PC_NATIVE + 5);
	ck_assert_uint_eq(woven[3].pc, PC_NATIVE + 4);
}
END_TEST

START_TEST(weave_gives_each_activation_its_own_frames)
{
	add_native(PC_NATIVE + 5);
	add_native(PC_LOOP + 5);
	add_native(PC_NATIVE + 5);
	add_native(PC_LOOP + 5);
	add_native(PC_LOOP + 5);
	add_native(PC_NATIVE + 5);
	add_python("A", true);
	add_python("B", false);
	add_python("C", true);
	add_python("D", true);
	woven_is(is_eval, "nAnBCDn");
}
END_TEST

START_TEST(weave_counts_tail_calls_to_the_activation_below)
{
	add_native(PC_NATIVE + 5);
	add_native(PC_INNER + 5);
	add_native(PC_LOOP + 5);
	add_native(PC_NATIVE + 5);
	add_python("A", true);
	add_python("B", true);
	woven_is(is_eval, "nAnB");
}
END_TEST

START_TEST(weave_keeps_all_frames_without_a_loop)
{
	add_native(PC_NATIVE + 5);
	add_native(PC_NATIVE + 5);
	add_python("A", false);
	add_python("B", true);
	woven_is(is_eval, "nnAB");
	woven_is(NULL, "nnAB");
}
END_TEST

START_TEST(weave_shows_the_loop_when_no_python_frame_is_left)
{
	add_native(PC_LOOP + 5);
	add_native(PC_NATIVE + 5);
	add_native(PC_LOOP + 5);
	add_python("A", true);
	woven_is(is_eval, "Ann");
}
END_TEST

START_TEST(weave_looks_inside_the_calling_instruction)
{
	/* A call at the very end of the loop's function: it returns behind it. */
	add_native(PC_NATIVE + 5);
	add_native(PC_LOOP + 0x1000);
	add_python("A", true);
	woven_is(is_eval, "nA");
	/* The first one is exact: the loop's first byte is the loop. */
	setup();
	add_native(PC_LOOP);
	add_native(PC_LOOP);
	add_python("A", true);
	woven_is(is_eval, "An");
}
END_TEST

START_TEST(weave_of_nothing_is_nothing)
{
	ck_assert_uint_eq(ftsan_stack_weave(&stack, is_eval, woven), 0);
}
END_TEST

START_TEST(weave_fits_its_room)
{
	while (stack.n_native < FTSAN_NATIVE_MAX)
		add_native(PC_NATIVE + 5);
	while (stack.n_python < FTSAN_PYFRAME_MAX)
		add_python("A", false);
	ck_assert_uint_eq(ftsan_stack_weave(&stack, is_eval, woven),
			  FTSAN_NATIVE_MAX + FTSAN_PYFRAME_MAX);
}
END_TEST

static const uintptr_t *fake_pc;
static unsigned fake_count;

static unsigned fake_walk(const void *ucontext, uintptr_t *pc, unsigned max)
{
	unsigned count = fake_count < max ? fake_count : max;

	(void)ucontext;
	errno = EIO;
	for (unsigned i = 0; i < count; i++)
		pc[i] = fake_pc != NULL ? fake_pc[i] : PC_NATIVE + i;
	return count;
}

static const struct ftsan_unwinder fake = {.walk = fake_walk};

static unsigned fake_python(struct ftsan_pyframe *out, unsigned max, bool *more)
{
	for (unsigned i = 0; i < max; i++)
		out[i] = (struct ftsan_pyframe){.function = "F", .entry = true};
	*more = true;
	return max;
}

static void set_fake(const uintptr_t *pc, unsigned count)
{
	fake_pc = pc;
	fake_count = count;
	ftsan_stack_set_unwinder(&fake);
}

START_TEST(capture_drops_own_frames)
{
	static const uintptr_t pc[] = {PC_OWN, PC_OWN + 9, PC_NATIVE + 9, PC_OWN + 9,
				       PC_NATIVE + 0x1000};

	set_fake(pc, 5);
	ftsan_stack_set_own_range(PC_OWN, PC_OWN + 0x1000);
	ftsan_stack_capture(&stack, NULL);
	ck_assert_uint_eq(stack.n_native, 2);
	/* It was a return address, and the first one of a stack is exact. */
	ck_assert_uint_eq(stack.pc[0], PC_NATIVE + 8);
	ck_assert_uint_eq(stack.pc[1], PC_NATIVE + 0x1000);
	ck_assert(!stack.truncated);
	ftsan_stack_set_own_range(0, 0);
	ftsan_stack_capture(&stack, NULL);
	ck_assert_uint_eq(stack.n_native, 5);
	ck_assert_uint_eq(stack.pc[0], PC_OWN);
}
END_TEST

START_TEST(capture_judges_ranges_by_the_calling_instruction)
{
	/* Exact at the range's end: not ours. A return address there: ours. */
	static const uintptr_t pc[] = {PC_OWN + 0x1000, PC_OWN + 0x1000, PC_OWN};

	set_fake(pc, 3);
	ftsan_stack_set_own_range(PC_OWN, PC_OWN + 0x1000);
	ftsan_stack_capture(&stack, NULL);
	ck_assert_uint_eq(stack.n_native, 2);
	ck_assert_uint_eq(stack.pc[0], PC_OWN + 0x1000);
	ck_assert_uint_eq(stack.pc[1], PC_OWN);
}
END_TEST

START_TEST(capture_says_what_did_not_fit)
{
	set_fake(NULL, FTSAN_NATIVE_MAX + 1);
	ftsan_stack_capture(&stack, NULL);
	ck_assert_uint_eq(stack.n_native, FTSAN_NATIVE_MAX);
	ck_assert(stack.truncated);
	set_fake(NULL, FTSAN_NATIVE_MAX);
	ftsan_stack_capture(&stack, NULL);
	ck_assert_uint_eq(stack.n_native, FTSAN_NATIVE_MAX);
	ck_assert(!stack.truncated);
	ftsan_stack_set_python(fake_python);
	ftsan_stack_capture(&stack, NULL);
	ck_assert_uint_eq(stack.n_python, FTSAN_PYFRAME_MAX);
	ck_assert(stack.truncated);
}
END_TEST

/* One frame is the capture's own. */
START_TEST(capture_of_the_top_says_what_did_not_fit)
{
	set_fake(NULL, 6);
	ftsan_stack_capture_top(&stack, 4, 2);
	ck_assert_uint_eq(stack.n_native, 4);
	ck_assert(stack.truncated);
	set_fake(NULL, 5);
	ftsan_stack_capture_top(&stack, 4, 2);
	ck_assert_uint_eq(stack.n_native, 4);
	ck_assert(!stack.truncated);
	ftsan_stack_set_python(fake_python);
	ftsan_stack_capture_top(&stack, 4, 2);
	ck_assert_uint_eq(stack.n_python, 2);
	ck_assert(stack.truncated);
}
END_TEST

START_TEST(capture_leaves_errno_alone)
{
	set_fake(NULL, 1);
	errno = EXDEV;
	ftsan_stack_capture(&stack, NULL);
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

START_TEST(no_native_frames_while_forking)
{
	set_fake(NULL, 3);
	ftsan_stack_fork_prepare();
	ftsan_stack_capture(&stack, NULL);
	ck_assert_uint_eq(stack.n_native, 0);
	ftsan_stack_fork_done();
	ftsan_stack_capture(&stack, NULL);
	ck_assert_uint_eq(stack.n_native, 3);
}
END_TEST

/* forked_native() - native frames that a capture in a forked child has */
static int forked_native(void)
{
	int status;
	pid_t child;

	ftsan_stack_fork_prepare();
	child = fork();
	ftsan_stack_fork_done();
	if (child == 0) {
		set_fake(NULL, 3);
		ftsan_stack_capture(&stack, NULL);
		_exit(stack.n_native);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

static int inner_result;

static unsigned forking_walk(const void *ucontext, uintptr_t *pc, unsigned max)
{
	(void)ucontext;
	(void)pc;
	(void)max;
	inner_result = forked_native();
	return 0;
}

START_TEST(child_unwinds_unless_somebody_was_inside)
{
	static const struct ftsan_unwinder forking = {.walk = forking_walk};

	ck_assert_int_eq(forked_native(), 3);
	ftsan_stack_set_unwinder(&forking);
	ftsan_stack_capture(&stack, NULL);
	ck_assert_int_eq(inner_result, 0);
}
END_TEST

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)info;
	if (ftsan_safe_read_fixup(context) || ftsan_stack_fixup(context))
		return;
	signal(number, SIG_DFL);
}

static void install_handler(void)
{
	struct sigaction action = {.sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

static void use_libunwind(void)
{
	void *lib = dlopen(FTSAN_LIBUNWIND_SONAME, RTLD_NOW | RTLD_LOCAL);
	const struct ftsan_unwinder *unwinder;

	ck_assert_ptr_nonnull(lib);
	ck_assert_ptr_null(ftsan_libunwind_init(NULL, NULL, NULL));
	unwinder = ftsan_libunwind_init(dlsym(lib, "_ULx86_64_init_local2"),
					dlsym(lib, "_ULx86_64_step"),
					dlsym(lib, "_ULx86_64_get_reg"));
	ck_assert_ptr_nonnull(unwinder);
	ftsan_stack_set_unwinder(unwinder);
	install_handler();
}

__attribute__((noinline)) static void captured_here(void)
{
	ftsan_stack_capture_here(&stack);
	__asm__ volatile("");
}

__attribute__((noinline)) static void calls_captured_here(void)
{
	captured_here();
	__asm__ volatile("");
}

/* The functions are a few instructions long. */
static bool within(uintptr_t pc, void (*function)(void))
{
	return pc > (uintptr_t)function && pc < (uintptr_t)function + 64;
}

START_TEST(here_begins_at_the_caller)
{
	use_libunwind();
	calls_captured_here();
	ck_assert_uint_gt(stack.n_native, 3);
	ck_assert(within(stack.pc[0], captured_here));
	ck_assert(within(stack.pc[1], calls_captured_here));
}
END_TEST

static uintptr_t faulted_at;
static int *volatile nowhere = (int *)8;

/* Misaligned, too: a sanitizer that the test is built with would see to that first. */
__attribute__((noinline, no_sanitize("undefined"))) static void faults(void)
{
	*nowhere = 1;
	__asm__ volatile("");
}

static void capture_fault(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)number;
	(void)info;
	faulted_at = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
	ftsan_stack_capture(&stack, context);
	_exit(stack.n_native > 2 && stack.pc[0] == faulted_at &&
			      within(stack.pc[0], faults)
		      ? 0
		      : 1);
}

START_TEST(handler_sees_the_exact_instruction)
{
	struct sigaction action = {.sa_sigaction = capture_fault, .sa_flags = SA_SIGINFO};
	int status;
	pid_t child;

	use_libunwind();
	child = fork();
	if (child == 0) {
		sigaction(SIGSEGV, &action, NULL);
		faults();
		_exit(2);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(garbage_registers_do_no_harm)
{
	static const uintptr_t bad[] = {0, 8, 0x7fffffffe000, UINTPTR_MAX - 7,
					0x8000000000000000};
	ucontext_t context;

	use_libunwind();
	for (size_t ip = 0; ip < sizeof(bad) / sizeof(bad[0]) + 1; ip++) {
		for (size_t sp = 0; sp < sizeof(bad) / sizeof(bad[0]); sp++) {
			memset(&context, 0, sizeof(context));
			context.uc_mcontext.gregs[REG_RIP] =
				(greg_t)(ip < 5 ? bad[ip] : (uintptr_t)captured_here + 8);
			context.uc_mcontext.gregs[REG_RSP] = (greg_t)bad[sp];
			context.uc_mcontext.gregs[REG_RBP] = (greg_t)bad[sp];
			ftsan_stack_capture(&stack, &context);
			ck_assert_uint_le(stack.n_native, 2);
		}
	}
	calls_captured_here();
	ck_assert_uint_gt(stack.n_native, 3);
}
END_TEST

static void store(void *argument)
{
	*(volatile int *)argument = 1;
}

static bool nested_ran;

static void nest(void *argument)
{
	nested_ran = ftsan_guarded_call(store, argument);
}

static int releases;

static void count_release(void)
{
	releases++;
}

START_TEST(guarded_call_survives_a_fault)
{
	int good = 0;

	install_handler();
	releases = 0;
	ftsan_stack_on_escape(count_release);
	for (int i = 0; i < 3; i++) {
		ck_assert(!ftsan_guarded_call(store, (void *)16));
		ck_assert(ftsan_guarded_call(store, &good));
		ck_assert_int_eq(good, 1);
	}
	good = 0;
	ck_assert(ftsan_guarded_call(nest, &good));
	ck_assert(!nested_ran);
	ck_assert_int_eq(good, 0);
	/* Those that faulted, and neither those that came back nor the one that did not run. */
	ck_assert_int_eq(releases, 3);
	ftsan_stack_on_escape(NULL);
}
END_TEST

START_TEST(a_fault_outside_is_not_diverted)
{
	ucontext_t context = {0};

	ck_assert(!ftsan_stack_fixup(&context));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stack");
	TCase *tcase = tcase_create("stack");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, weave_puts_python_where_the_loop_was);
	tcase_add_test(tcase, weave_gives_each_activation_its_own_frames);
	tcase_add_test(tcase, weave_counts_tail_calls_to_the_activation_below);
	tcase_add_test(tcase, weave_keeps_all_frames_without_a_loop);
	tcase_add_test(tcase, weave_shows_the_loop_when_no_python_frame_is_left);
	tcase_add_test(tcase, weave_looks_inside_the_calling_instruction);
	tcase_add_test(tcase, weave_of_nothing_is_nothing);
	tcase_add_test(tcase, weave_fits_its_room);
	tcase_add_test(tcase, capture_drops_own_frames);
	tcase_add_test(tcase, capture_judges_ranges_by_the_calling_instruction);
	tcase_add_test(tcase, capture_says_what_did_not_fit);
	tcase_add_test(tcase, capture_of_the_top_says_what_did_not_fit);
	tcase_add_test(tcase, capture_leaves_errno_alone);
	tcase_add_test(tcase, no_native_frames_while_forking);
	tcase_add_test(tcase, child_unwinds_unless_somebody_was_inside);
	tcase_add_test(tcase, here_begins_at_the_caller);
	tcase_add_test(tcase, handler_sees_the_exact_instruction);
	tcase_add_test(tcase, garbage_registers_do_no_harm);
	tcase_add_test(tcase, guarded_call_survives_a_fault);
	tcase_add_test(tcase, a_fault_outside_is_not_diverted);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
