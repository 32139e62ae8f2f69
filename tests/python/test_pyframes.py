"""Compares the stacks that the detector reads with what Python says they are.

usage: python test_pyframes.py PROBE LIBUNWIND [UNITTEST-ARGUMENTS...]

PROBE is pyframes_probe.so. Exit status 77 (skipped) for an interpreter that the
detector does not know. Uses the standard library only.
"""

import ctypes
import os
import sys
import threading
import traceback
import unittest

MAX_FRAMES = 32
FILE_MAX, FUNCTION_MAX = 159, 71  # bytes, without the NUL
ENOENT = 2

probe = None
buffer = ctypes.create_string_buffer(1 << 16)


class Frame:
    def __init__(self, text):
        self.kind, self.file, line, self.function, entry = text.split("\t")
        self.line = int(line)
        self.entry = entry == "entry"

    def __repr__(self):
        mark = " <- C" if self.entry else ""
        return f"{self.kind} {self.file}:{self.line} {self.function}{mark}"


def start(path, libunwind):
    global probe
    # PyDLL: the thread state stays attached, as in an extension's own code.
    probe = ctypes.PyDLL(path)
    probe.probe_bench.restype = ctypes.c_uint64
    return probe.probe_start(os.fsencode(libunwind))


def read_frames(status):
    """The frames in the buffer, innermost first, and whether there were more."""
    assert status == 0, status
    lines = buffer.value.decode("utf-8").split("\n")[:-1]
    more = bool(lines) and lines[-1] == "more"
    return [Frame(line) for line in lines[: len(lines) - more]], more


def cut_head(text, limit):
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def cut_tail(text, limit):
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return text
    return "..." + data[3 - limit :].decode("utf-8", "ignore")


def expected_of(frame):
    """(file, line, function) of a frame and its callers, as traceback has them."""
    summary = traceback.StackSummary.extract(traceback.walk_stack(frame), lookup_lines=False)
    names = [f.f_code.co_qualname for f, _ in traceback.walk_stack(frame)]
    return [
        (cut_tail(s.filename, FILE_MAX), s.lineno or 0, cut_head(name, FUNCTION_MAX))
        for s, name in zip(summary, names)
    ]


def walk(limit=MAX_FRAMES):
    """What the probe reads and what is true of the caller, walked on one line of it."""
    status = probe.probe_walk(buffer, len(buffer), limit)
    frames, more = read_frames(status)
    return frames[1:], more, expected_of(sys._getframe(1))


class Walks(unittest.TestCase):
    def check(self, result, more=None):
        frames, has_more, expected = result
        found = [(f.file, f.line, f.function) for f in frames]
        self.assertEqual(found, expected[: len(found)])
        self.assertEqual(has_more, len(found) < len(expected))
        if more is not None:
            self.assertEqual(has_more, more)
        return frames

    def test_nested_functions(self):
        def inner():
            return walk()

        def outer():
            return (
                1,
                inner(),
            )[1]

        frames = self.check(outer())
        self.assertTrue(frames[0].function.endswith("<locals>.inner"))
        self.assertFalse(frames[0].entry)
        self.assertFalse(frames[1].entry)

    def test_generator(self):
        def deepest():
            yield walk()

        def generate():
            yield 1
            yield from deepest()

        for result in generate():
            pass
        self.check(result)
        self.check(list(generate())[1])

    def test_coroutine(self):
        async def inner():
            return walk()

        async def outer():
            return await inner()

        with self.assertRaises(StopIteration) as caught:
            outer().send(None)
        frames = self.check(caught.exception.value)
        self.assertIn("inner", frames[0].function)
        self.assertIn("outer", frames[1].function)

    def test_comprehension(self):
        self.check([walk() for _ in range(2)][1])
        self.check({0: walk() for _ in range(2)}[0])
        self.check(next(walk() for _ in range(1)))

    def test_lambda_and_class_body(self):
        self.check((lambda: walk())())

        class Body:
            result = walk()

        self.check(Body.result)

    def test_eval_and_exec(self):
        self.check(eval("walk()"))
        space = {"walk": walk}
        exec("\n" * 70000 + "def late():\n\n  return walk()\nresult = late()", space)
        frames = self.check(space["result"])
        self.assertEqual(frames[0].line, 70003)

    def test_long_function(self):
        # Many more entries in the location table than are read at once.
        body = "".join(f"  x = [{i},\n    {i} + x[0]]\n" for i in range(3000))
        space = {"walk": walk}
        exec("def long():\n  x = [0]\n" + body + "  return walk()\nresult = long()", space)
        self.assertEqual(self.check(space["result"])[0].line, 6003)

    def test_non_ascii_names(self):
        for name in ("caf\u00e9", "\u03b1\u03b2\u03b3", "\u5317\u4eac", "\U00020000"):
            space = {"walk": walk}
            source = f"def {name}():\n  return walk()\nresult = {name}()"
            exec(compile(source, f"/tmp/{name}/\u00fc.py", "exec"), space)
            frames = self.check(space["result"])
            self.assertEqual(frames[0].function, name)
            self.assertEqual(frames[0].file, f"/tmp/{name}/\u00fc.py")

    def test_astral_file_name(self):
        space = {"walk": walk}
        exec(compile("result = walk()", "/tmp/\U0001f40d.py", "exec"), space)
        self.assertEqual(self.check(space["result"])[0].file, "/tmp/\U0001f40d.py")

    def test_undecodable_file_name(self):
        space = {"walk": walk}
        exec(compile("result = walk()", "/tmp/\udcff.py", "exec"), space)
        self.assertEqual(space["result"][0][0].file, "/tmp/\ufffd.py")

    def test_long_names(self):
        for letter in ("x", "\u00e9", "\u5317", "\U00020000"):
            for extra in range(4):
                name = letter * (300 + extra)
                space = {"walk": walk}
                source = f"def a{name}():\n  return walk()\nresult = a{name}()"
                exec(compile(source, f"/{name}/end.py", "exec"), space)
                frames = self.check(space["result"])
                self.assertTrue(frames[0].file.startswith("..."))
                self.assertTrue(frames[0].file.endswith("/end.py"))
                self.assertLessEqual(len(frames[0].file.encode()), FILE_MAX)

    def test_deep_recursion(self):
        def recurse(depth):
            return recurse(depth - 1) if depth else walk()

        self.assertEqual(len(self.check(recurse(100), more=True)), MAX_FRAMES - 1)

    def test_exactly_full(self):
        depth = len(walk()[2]) + 1
        self.assertLess(depth, MAX_FRAMES)
        self.assertFalse(walk(depth)[1])
        self.assertTrue(walk(depth - 1)[1])

    def test_callback_from_c(self):
        def key(_):
            results.append(walk())
            return 0

        def sorts():
            sorted([1], key=key)

        results = []
        sorts()
        frames = self.check(results[0])
        self.assertTrue(frames[0].entry)
        self.assertFalse(frames[1].entry)
        self.assertIn("sorts", frames[1].function)

    def test_specialised_init(self):
        class Thing:
            def __init__(self):
                self.result = walk()

        def make():
            return Thing().result

        for _ in range(100):
            result = make()
        frames = self.check(result)
        self.assertTrue(frames[0].function.endswith("Thing.__init__"))
        self.assertTrue(frames[1].function.endswith("make"))

    def test_traced(self):
        def traced():
            x = 1
            return walk() if x else None

        seen = []

        def tracer(frame, event, _):
            if frame.f_code.co_name == "traced" and event == "line":
                seen.append(walk())
            return tracer

        for _ in range(3):
            sys.settrace(tracer)
            try:
                result = traced()
            finally:
                sys.settrace(None)
            self.check(result)
        for result in seen:
            frames = self.check(result)
            self.assertTrue(frames[0].entry)

    def test_thread(self):
        def work():
            for _ in range(50):
                results.append(walk())

        results = []
        # One: the buffer is shared. What matters is a thread state that is not main's.
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        for result in results:
            self.check(result)

    def test_finalizer(self):
        class Dies:
            def __del__(self):
                results.append(walk())

        results = []
        thing = Dies()
        del thing
        self.assertTrue(self.check(results[0])[0].entry)


class Resolves(unittest.TestCase):
    def resolve(self, address):
        return probe.probe_resolve(
            ctypes.c_void_p(address), ctypes.c_void_p(0), buffer, len(buffer)
        )

    def test_code_object(self):
        code = self.resolve.__func__.__code__
        self.assertEqual(self.resolve(id(code)), 0)
        self.assertEqual(read_frames(0)[0][0].function, "Resolves.resolve")

    def test_no_code_object(self):
        for address in (0, 8, id(self), id("text"), id(type), (1 << 64) - 16, 1 << 63):
            self.assertEqual(self.resolve(address), -ENOENT, hex(address))


class Weaves(unittest.TestCase):
    def weave(self):
        return read_frames(probe.probe_weave(buffer, len(buffer)))

    def test_python_frames_take_the_place_of_the_loop(self):
        def key(_):
            results.append(self.weave())
            return 0

        def sorts():
            sorted([1], key=key)

        results = []
        sorts()
        frames, more = results[0]
        if more:
            self.skipTest("more frames than fit")
        loops = [f for f in frames if f.function.startswith("_PyEval_EvalFrameDefault")]
        self.assertEqual(loops, [])
        self.assertEqual(frames[0].kind, "native", "the probe's caller comes first")
        self.assertEqual(frames[-1].kind, "native", "the program's start comes last")
        order = [f.function.rsplit(".", 1)[-1] for f in frames if f.kind == "python"]
        inside, outside = order.index("key"), order.index("sorts")
        self.assertEqual(outside, inside + 1)
        where = [f.function.rsplit(".", 1)[-1] for f in frames]
        between = frames[where.index("key") + 1 : where.index("sorts")]
        self.assertGreater(len(between), 1, "sorted() lies between the two")
        self.assertEqual({f.kind for f in between}, {"native"})

    def test_a_second_look_sees_the_same(self):
        def look():
            return self.weave()[0]

        first, second = [str(look()) for _ in range(2)]
        self.assertEqual(first, second)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    path, libunwind = sys.argv[1:3]
    del sys.argv[1:3]
    status = start(path, libunwind)
    if status != 0:
        print(f"skipped: the detector does not know {sys.version} (error {-status})")
        sys.exit(77)
    unittest.main()


if __name__ == "__main__":
    main()
