/* A program without CPython that loads a library with it: libftsan wakes up then. */
#include <dlfcn.h>
#include <signal.h>

#include "support/expect.h"

int main(int argc, char **argv)
{
	struct sigaction act;

	EXPECT(argc > 2);
	EXPECT(logged("start") == 0);
	EXPECT(dlopen(argv[1], RTLD_NOW) && logged("start") == 0 && !dlerror());
	EXPECT(dlopen(argv[2], RTLD_NOW | RTLD_LOCAL) && logged("start root 0") == 1);
	EXPECT(sigaction(SIGSEGV, NULL, &act) == 0 && act.sa_handler == SIG_DFL);
	return 0;
}
