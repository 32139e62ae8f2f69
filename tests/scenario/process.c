/* Findings and guarded memory across forks, early ends and closed descriptors. */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "scenario.h"

static struct fake_array *shared;
static pthread_t threads[2];

static NOINLINE void *write_dim(void *unused)
{
	while (!stop) {
		store(&shared->dims[0], 3);
		store(&shared->dims[0], 1);
		usleep(100);
	}
	return unused;
}

static NOINLINE void *read_dim(void *unused)
{
	while (!stop)
		(void)load(&shared->dims[0]);
	return unused;
}

static void start_race(void)
{
	shared = numpy->create(2, 1, 0);
	threads[0] = start(read_dim, NULL);
	pause_ms(8);
	threads[1] = start(write_dim, NULL);
}

static void end_race(void)
{
	stop = 1;
	join(threads[0]);
	join(threads[1]);
	stop = 0;
}

static void wait_for_finding(const char *path)
{
	EXPECT(path != NULL);
	while (!found(path))
		pause_ms(1);
}

static void race_until_found(void)
{
	start_race();
	wait_for_finding(getenv("SCENARIO_LOG"));
}

static void quick_end(void)
{
	race_until_found();
	_exit(0);
}

static void raw_end(void)
{
	race_until_found();
	syscall(SYS_exit_group, 0);
}

static void killed(void)
{
	race_until_found();
	kill(getpid(), SIGKILL);
	pause_ms(10000);
}

static void failure(void)
{
	race_until_found();
	exit(3);
}

/* Every number is closed, and those where libftsan had its own are the program's. */
static void descriptors(void)
{
	char path[] = "scenario-file-XXXXXX";
	int fd, file;
	struct stat st;

	start_race();
	for (fd = 3; fd < 1024; fd++)
		close(fd);
	file = mkstemp(path);
	EXPECT(file >= 0 && unlink(path) == 0);
	for (fd = 100; fd < 130; fd++)
		EXPECT(dup2(file, fd) == fd);
	for (fd = 890; fd < 950; fd++)
		EXPECT(dup2(file, fd) == fd);
	wait_for_finding(getenv("SCENARIO_LOG"));
	for (unsigned i = 0; i < 200; i++) {
		struct fake_array *array = numpy->create(2, (int64_t)i, 0);

		EXPECT(load(&array->dims[1]) == (int64_t)i);
		numpy->destroy(array);
	}
	end_race();
	EXPECT(fstat(file, &st) == 0 && st.st_size == 0);
	EXPECT(fcntl(file, F_GETFD) >= 0 && fcntl(940, F_GETFD) >= 0);
}

/* The child races, and its parent does not: each has a log and a status of its own. */
static void worker(void)
{
	char path[4096];
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		snprintf(path, sizeof(path), "%s.%d", getenv("SCENARIO_LOG"),
			 (int)getpid());
		start_race();
		wait_for_finding(path);
		exit(0);
	}
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(status == 0);
}

static void *count_up(void *word)
{
	int64_t n = load(word);

	while (!stop) {
		store(word, ++n);
		EXPECT(load(word) == n);
	}
	return NULL;
}

/* Parent and child store to the same sealed words: each must see only its own. */
static void child_part(struct fake_array *quiet, int from_parent, int to_parent)
{
	char byte;

	store(&quiet->dims[0], -100);
	__asm__ volatile("addq $1, (%0)" : : "r"(&quiet->dims[0]) : "memory", "cc");
	EXPECT(load(&quiet->dims[0]) == -99);
	EXPECT(write(to_parent, "", 1) == 1);
	EXPECT(read(from_parent, &byte, 1) == 1);
	EXPECT(load(&quiet->dims[0]) == -99 && load(&quiet->dims[1]) == 7);
	store(&shared->dims[0], -5);
	EXPECT(load(&shared->dims[0]) == -5);
	store(&shared->dims[1], -6);
	EXPECT(load(&shared->dims[1]) == -6);
	for (unsigned i = 0; i < 100; i++)
		numpy->destroy(numpy->create(2, 3, 0));
	numpy->destroy(quiet);
}

static void fork_once(struct fake_array *quiet, pid_t (*split)(void), void (*end)(int))
{
	int down[2], up[2], status;
	char byte;
	pid_t pid;

	EXPECT(pipe(down) == 0 && pipe(up) == 0);
	store(&quiet->dims[0], 7);
	pid = split();
	EXPECT(pid >= 0);
	if (pid == 0) {
		child_part(quiet, down[0], up[1]);
		end(0);
	}
	EXPECT(read(up[0], &byte, 1) == 1);
	EXPECT(load(&quiet->dims[0]) == 7);
	store(&quiet->dims[0], 8);
	EXPECT(write(down[1], "", 1) == 1);
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT(status == 0);
	EXPECT(load(&quiet->dims[0]) == 8 && load(&quiet->dims[1]) == 7);
	close(down[0]), close(down[1]), close(up[0]), close(up[1]);
}

static void split_often(pid_t (*split)(void), void (*end)(int), unsigned times)
{
	struct fake_array *quiet = numpy->create(2, 7, 0);

	shared = numpy->create(2, 1, 0);
	threads[0] = start(count_up, &shared->dims[0]);
	threads[1] = start(count_up, &shared->dims[1]);
	/* Of the same age; where it is, the other one is, or will be in a moment. */
	for (unsigned i = 0; i < 1000 && !is_sealed(quiet->dims); i++)
		usleep(500);
	pause_ms(8);
	for (unsigned i = 0; i < times; i++) {
		fork_once(quiet, split, end);
		pause_ms(2);
	}
	end_race();
}

static void forks(void)
{
	split_often(fork, exit, 6);
}

/* No handler of anybody's runs around this one. */
static pid_t raw_clone(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static void raw_exit(int status)
{
	syscall(SYS_exit_group, status);
}

/* Windows of threads that the child does not have are open all the time. */
static void raw_clones(void)
{
	split_often(raw_clone, raw_exit, 6);
}

int main(int argc, char **argv)
{
	static const struct scenario_case cases[] = {
		{"quick_end", quick_end},
		{"raw_end", raw_end},
		{"killed", killed},
		{"failure", failure},
		{"descriptors", descriptors},
		{"worker", worker},
		{"forks", forks},
		{"raw_clones", raw_clones},
		{0},
	};

	return run_case(cases, argc, argv);
}
