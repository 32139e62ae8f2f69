"""The command `ftsan` of a wheel: a program in the package's directory.

The program is no script of the environment itself, because it has to find libftsan.so
beside it, and only the package knows where it was installed to (pip has --target, --user
and --prefix).
"""

import os
import sys

NATIVE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_native", "ftsan")
EXIT_FAILED = 125


def main():
    try:
        os.execv(NATIVE, ["ftsan", *sys.argv[1:]])
    except OSError as error:
        print(f"ftsan: {NATIVE}: {error.strerror}; is the package complete?", file=sys.stderr)
        return EXIT_FAILED
