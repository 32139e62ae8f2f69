"""ftsan: a sanitizer for native extension modules on free-threaded CPython.

The Python side: the command's entry point and the pytest plugin. Nothing here is needed
to run a program under ftsan, and nothing is imported by programs that are.
"""


def __getattr__(name):
    """__version__, looked up when somebody asks: pytest imports this package each time."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # noqa: PLC0415
    return version("ftsan")
