"""ftsan: a sanitizer for native extension modules on free-threaded CPython.

The Python side: the command's entry point and the pytest plugin. Nothing here is needed
to run a program under ftsan, and nothing is imported by programs that are.
"""
