/*
 * Loaded with ctypes into a real interpreter by test_pyframes.py: walks the calling
 * thread's stack with the detector's code and prints it. No Python.h, so that one
 * build serves every interpreter.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <string.h>

#include "base/base.h"
#include "stacks/stacks.h"

/* ctypes calls these by name. */
FTSAN_EXPORT int probe_start(const char *libunwind);
FTSAN_EXPORT int probe_refresh(void);
FTSAN_EXPORT int probe_walk(char *to, size_t capacity, unsigned max);
FTSAN_EXPORT int probe_weave(char *to, size_t capacity);
FTSAN_EXPORT int probe_resolve(void *code, void *instr, char *to, size_t capacity);
FTSAN_EXPORT uint64_t probe_bench(unsigned rounds, unsigned *native, unsigned *python);
FTSAN_EXPORT uint32_t probe_version(void);

static struct ftsan_pyabi abi;
static uintptr_t code_type;
static void *(*tstate_get)(void);
static struct ftsan_stack stack; /* one thread, and too large for a frame */

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)info;
	if (ftsan_safe_read_fixup(context) || ftsan_stack_fixup(context))
		return;
	signal(number, SIG_DFL);
}

static unsigned walk(struct ftsan_pyframe *out, unsigned max, bool *more)
{
	return ftsan_pyframes_walk(&abi, (uintptr_t)tstate_get(), code_type, out, max,
				   more);
}

static void find_interpreter(void)
{
	const unsigned long *version = dlsym(RTLD_DEFAULT, "Py_Version");

	(void)ftsan_pyabi_read(&abi, dlsym(RTLD_DEFAULT, "_PyRuntime"),
			       version != NULL ? (uint32_t)*version : 0);
	code_type = (uintptr_t)dlsym(RTLD_DEFAULT, "PyCode_Type");
	*(void **)&tstate_get = dlsym(RTLD_DEFAULT, "PyThreadState_GetUnchecked");
	if (tstate_get == NULL)
		*(void **)&tstate_get =
			dlsym(RTLD_DEFAULT, "_PyThreadState_UncheckedGet");
}

int probe_start(const char *libunwind)
{
	struct sigaction action = {.sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
	const struct ftsan_module *self;
	void *lib = dlopen(libunwind, RTLD_NOW | RTLD_LOCAL);

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	find_interpreter();
	if (!abi.known || code_type == 0 || tstate_get == NULL)
		return -ENOTSUP;
	if (ftsan_modules_refresh(dl_iterate_phdr) <= 0)
		return -ENOENT;
	ftsan_symbols_set_eval(
		(uintptr_t)dlsym(RTLD_DEFAULT, "_PyEval_EvalFrameDefault"));
	self = ftsan_module_of((uintptr_t)probe_start);
	if (self == NULL || lib == NULL)
		return -ENOENT;
	ftsan_stack_set_own_range(self->begin, self->end);
	ftsan_stack_set_unwinder(ftsan_libunwind_init(dlsym(lib, "_ULx86_64_init_local2"),
						      dlsym(lib, "_ULx86_64_step"),
						      dlsym(lib, "_ULx86_64_get_reg")));
	ftsan_stack_set_python(walk);
	return 0;
}

int probe_refresh(void)
{
	return ftsan_modules_refresh(dl_iterate_phdr);
}

uint32_t probe_version(void)
{
	return abi.version;
}

static void put_python(struct ftsan_buf *buf, const struct ftsan_pyframe *frame)
{
	ftsan_buf_str(buf, "python\t");
	ftsan_buf_str(buf, frame->file);
	ftsan_buf_char(buf, '\t');
	ftsan_buf_i64(buf, frame->line);
	ftsan_buf_char(buf, '\t');
	ftsan_buf_str(buf, frame->function);
	ftsan_buf_str(buf, frame->entry ? "\tentry\n" : "\t\n");
}

static void put_native(struct ftsan_buf *buf, uintptr_t pc)
{
	const struct ftsan_module *module = ftsan_module_of(pc);
	char name[FTSAN_SYMBOL_MAX];

	(void)ftsan_symbol_name(pc, name);
	ftsan_buf_str(buf, "native\t");
	ftsan_buf_str(buf, module != NULL ? module->path : "");
	ftsan_buf_str(buf, "\t0\t");
	ftsan_buf_str(buf, name);
	ftsan_buf_str(buf, "\t\n");
}

static int finish(struct ftsan_buf *buf, bool more)
{
	if (more)
		ftsan_buf_str(buf, "more\n");
	(void)ftsan_buf_cstr(buf);
	return buf->truncated ? -ENOSPC : 0;
}

int probe_walk(char *to, size_t capacity, unsigned max)
{
	struct ftsan_buf buf;
	bool more = false;
	unsigned count = walk(stack.python,
			      max < FTSAN_PYFRAME_MAX ? max : FTSAN_PYFRAME_MAX, &more);

	ftsan_buf_init(&buf, to, capacity);
	for (unsigned i = 0; i < count; i++)
		put_python(&buf, &stack.python[i]);
	return finish(&buf, more);
}

int probe_weave(char *to, size_t capacity)
{
	static struct ftsan_frame frames[FTSAN_NATIVE_MAX + FTSAN_PYFRAME_MAX];
	struct ftsan_buf buf;
	unsigned count;

	ftsan_stack_capture_here(&stack);
	count = ftsan_stack_weave(&stack, ftsan_symbol_is_eval, frames);
	ftsan_buf_init(&buf, to, capacity);
	for (unsigned i = 0; i < count; i++) {
		if (frames[i].python)
			put_python(&buf, frames[i].frame);
		else
			put_native(&buf, frames[i].pc);
	}
	return finish(&buf, stack.truncated);
}

int probe_resolve(void *code, void *instr, char *to, size_t capacity)
{
	struct ftsan_pyframe frame;
	struct ftsan_buf buf;

	if (!ftsan_pyframe_resolve(&abi, (uintptr_t)code, (uintptr_t)instr, 0, code_type,
				   &frame))
		return -ENOENT;
	ftsan_buf_init(&buf, to, capacity);
	put_python(&buf, &frame);
	return finish(&buf, false);
}

uint64_t probe_bench(unsigned rounds, unsigned *native, unsigned *python)
{
	uint64_t began;

	ftsan_stack_capture_here(&stack);
	began = ftsan_sys_now_ns();
	for (unsigned i = 0; i < rounds; i++)
		ftsan_stack_capture_here(&stack);
	*native = stack.n_native;
	*python = stack.n_python;
	return (ftsan_sys_now_ns() - began) / rounds;
}
