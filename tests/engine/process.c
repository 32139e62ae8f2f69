/* The life of a process under libftsan: ends, forks, execs, threads, namespaces. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#include "support/expect.h"
#include "support/fake_runtime.h"

PRETEND_CPYTHON;

static int threads_now(void)
{
	DIR *tasks = opendir("/proc/self/task");
	int n = 0;

	EXPECT(tasks);
	while (readdir(tasks))
		n++;
	closedir(tasks);
	return n - 2;
}

static void until(int (*condition)(void))
{
	struct timespec pause = {.tv_nsec = 1000000};

	for (int i = 0; i < 3000 && !condition(); i++)
		nanosleep(&pause, NULL);
	EXPECT(condition());
}

static void *nothing(void *unused)
{
	return unused;
}

static pthread_t started(void *(*fn)(void *))
{
	pthread_t thread;

	EXPECT(pthread_create(&thread, NULL, fn, NULL) == 0);
	return thread;
}

static int scout_alone(void)
{
	return threads_now() == 2;
}

static int has_ticked(void)
{
	return logged("tick") == 1;
}

/* The program's one more thread has come and gone; only the scout is there. */
static void leave_scout(void)
{
	pthread_join(started(nothing), NULL);
	until(scout_alone);
}

static int num_threads(void)
{
	char text[1024], *end;
	int fd = open("/proc/self/stat", O_RDONLY), n = 0;
	ssize_t size = read(fd, text, sizeof(text) - 1);

	close(fd);
	EXPECT(size > 0);
	text[size] = '\0';
	end = strrchr(text, ')') + 2;
	for (char *field = strtok(end, " "); field; field = strtok(NULL, " "))
		if (++n == 18)
			return atoi(field);
	return -1;
}

/* What CPython does: it counts in the parent as soon as fork() has returned. */
static void fork_shows_no_scout(void)
{
	for (int i = 0; i < 50; i++) {
		pid_t pid;
		int n;

		leave_scout();
		pid = fork();
		n = num_threads();
		if (pid == 0)
			_exit(n);
		EXPECT(n == 1);
		EXPECT(waitpid(pid, &n, 0) == pid && WEXITSTATUS(n) == 1);
		EXPECT(threads_now() == 1);
	}
}

static _Atomic int hold;

static void *held(void *unused)
{
	while (hold)
		sched_yield();
	return unused;
}

/* Nor does it take any descriptor of the ones that programs count on. */
static void descriptors_untouched(void)
{
	EXPECT(fcntl(3, F_GETFD) == -1 && fcntl(4, F_GETFD) == -1);
}

static int three(void)
{
	return threads_now() == 3;
}

static void scout_comes_back(void)
{
	pthread_t thread;

	hold = 1;
	thread = started(held);
	until(three);
	EXPECT(in_child(leave_scout) == 0);
	until(three);
	hold = 0;
	pthread_join(thread, NULL);
}

static void no_scout_alone(void)
{
	EXPECT(threads_now() == 1);
	pthread_join(started(nothing), NULL);
	until(has_ticked);
	EXPECT(unshare(CLONE_THREAD) == 0 && threads_now() == 1);
}

static pthread_key_t key;

static void touch_guarded(void *unused)
{
	(void)unused;
	mprotect((void *)FAKE_PAGE, 4096, PROT_READ);
	*(volatile char *)FAKE_PAGE = 1;
	EXPECT(logged("thread_end") == 0);
}

static void *exits_with_key(void *unused)
{
	pthread_setspecific(key, &key);
	pthread_exit(unused);
}

static void *waits_for_cancel(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void thread_ends(void)
{
	pthread_t thread;

	pthread_key_create(&key, touch_guarded);
	pthread_join(started(exits_with_key), NULL);
	EXPECT(logged("thread_begin") == 1 && logged("thread_end") == 1);
	thread = started(waits_for_cancel);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	EXPECT(logged("thread_begin") == 2 && logged("thread_end") == 2);
}

/* The last thread ends the process, as if it had called exit(0). */
static void main_thread_leaves(void)
{
	pthread_detach(started(nothing));
	pthread_exit(NULL);
}

static void forks(void)
{
	pid_t pid = _Fork();
	int status;

	if (pid == 0)
		_exit(logged("fork_child") == 1 ? 5 : 6);
	EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 5);
	EXPECT(logged("fork_prepare") == 1 && logged("fork_parent") == 1);
}

static void exec_fails(void)
{
	char *args[] = {"/nonexistent", NULL};

	errno = 0;
	EXPECT(execve(args[0], args, environ) == -1 && errno == ENOENT);
	EXPECT(logged("end exec -1") == 1 && logged("unend") == 1);
}

static void vfork_writes_nothing(void)
{
	char *args[] = {"/nonexistent", NULL};
	pid_t pid = vfork();
	int status;

	if (pid == 0) {
		execv(args[0], args);
		_exit(9);
	}
	EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 9);
	EXPECT(logged("end") == 0 && logged("unend") == 0);
}

/* Each runs as the first process of a tree; the CMake test knows the status. */
static void end_by(const char *how)
{
	int status = atoi(strchr(how, ':') + 1);

	printf("flushed");
	if (strncmp(how, "exit", 4) == 0)
		exit(status);
	fflush(stdout);
	if (strncmp(how, "quick", 5) == 0)
		quick_exit(status);
	if (strncmp(how, "fork", 4) == 0) {
		if (fork() == 0)
			exit(0);
		EXPECT(wait(&status) > 0 && status == 0);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		end_by(argv[1]);
	EXPECT(logged("start root 0") == 1);
	EXPECT(atoi(getenv("FTSAN_ROOT_PID")) == getpid());
	descriptors_untouched();
	EXPECT_SUCCESS(no_scout_alone);
	EXPECT_SUCCESS(scout_comes_back);
	EXPECT_SUCCESS(fork_shows_no_scout);
	EXPECT_SUCCESS(thread_ends);
	EXPECT_SUCCESS(main_thread_leaves);
	EXPECT_SUCCESS(forks);
	EXPECT_SUCCESS(exec_fails);
	EXPECT_SUCCESS(vfork_writes_nothing);
	return 0;
}
