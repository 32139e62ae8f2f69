"""The command `ftsan` of a wheel: a program in the package's directory.

The program is no script of the environment itself, because it has to find libftsan.so
beside it, and only the package knows where it was installed to (pip has --target, --user
and --prefix).
"""

import os
import sys

EXIT_FAILED = 125


def _native():
    """An editable install has the package in two places: the sources', and pip's."""
    places = [os.path.join(os.path.abspath(directory), "_native", "ftsan")
              for directory in sys.modules[__package__].__path__]
    return next((path for path in places if os.access(path, os.X_OK)), places[0])


NATIVE = _native()


def main():
    try:
        os.execv(NATIVE, ["ftsan", *sys.argv[1:]])
    except OSError as error:
        print(f"ftsan: {NATIVE}: {error.strerror}; is the package complete?", file=sys.stderr)
        return EXIT_FAILED
