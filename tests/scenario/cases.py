"""What each scenario must and must not report."""

import dataclasses
import typing

STORES = ("auto", "step", "emulate", "pkey", "undecoded")
# Ways to store make no difference to what is no finding; the engine's own do.
QUIET = ("auto", "step", "defaults", "undecoded")
TRAPPED = {"traps": 1, "windows": 1}


@dataclasses.dataclass
class Case:
    name: str
    program: str
    finding: typing.Optional[typing.Callable] = None
    variants: tuple = ("auto",)
    status: int = 0
    end: typing.Optional[str] = "exit"
    children: int = 0
    in_child: bool = False
    counters: dict = dataclasses.field(default_factory=dict)


def innermost(stack):
    return stack["frames"][0].get("function") if stack["frames"] else None


def race(*roles, name=None, functions=None):
    """A confirmed race whose first two stacks have these roles, in any order."""

    def matches(finding):
        stacks = finding["stacks"]
        if finding["kind"] != "race" or finding["confidence"] != "confirmed":
            return False
        if sorted(s["role"] for s in stacks[:2]) != sorted(roles):
            return False
        if stacks[0]["tid"] == stacks[1]["tid"] or stacks[-1]["role"] != "alloc":
            return False
        if name is not None and finding["object"].get("name") not in name:
            return False
        return functions is None or all(innermost(s) in functions for s in stacks[:2])

    return matches


def crash(detail):
    """The end of the process, with what is said of the pointer."""

    def matches(finding):
        return finding["kind"] == "crash" and finding["death"]["detail"].startswith(detail)

    return matches


def late(role, freed_by):
    """A use after free with who used, who freed and who allocated."""

    def matches(finding):
        stacks = finding["stacks"]
        return (
            finding["kind"] == "use-after-free"
            and [s["role"] for s in stacks] == [role, "free", "alloc"]
            and any(f.get("function") == freed_by for f in stacks[1]["frames"])
            and innermost(stacks[2]) in ("create", "resize")
        )

    return matches


DIM = ("dims[0]",)
FOUND = {"variants": STORES, "status": 66, "counters": TRAPPED}
NOTHING = {"variants": QUIET, "counters": TRAPPED}

CASES = [
    Case("write_read", "race", race("write", "read", name=DIM,
                                    functions=("write_dim", "read_dim")),
         variants=STORES + ("defaults",), status=66, counters=TRAPPED),
    Case("write_write", "race", race("write", "write", name=DIM,
                                     functions=("write_dim", "other_write")), **FOUND),
    Case("stride", "race", race("write", "read", name=("strides[1]",)), **FOUND),
    Case("byte", "race", race("write", "read", name=DIM), **FOUND),
    Case("rmw", "race", race("write", "read", name=DIM,
                             functions=("write_rmw", "read_dim")), **FOUND),
    Case("rmw_rmw", "race", race("write", "write", name=DIM), **FOUND),
    Case("vector", "race", race("write", "read", name=DIM,
                                functions=("write_vector", "read_dim")), **FOUND),
    # Where the store begins is all that is known without a decoder.
    Case("vector_high", "race", race("write", "read"),
         variants=("auto", "step", "emulate"), status=66, counters=TRAPPED),
    Case("string_writer", "race", race("write", "read", name=DIM), **FOUND),
    Case("memcpy_reader", "race", race("write", "read", name=DIM), **FOUND),
    Case("string_reader", "race", race("write", "read", name=DIM,
                                       functions=("write_dim", "read_string")), **FOUND),

    Case("free_in_window", "lifetime", race("write", "free"), **FOUND),
    Case("use_after_free", "lifetime", late("read", "give_back"),
         variants=STORES, status=66, counters={"late_accesses": 1}),
    Case("store_after_free", "lifetime", late("write", "give_back"),
         variants=STORES, status=66, counters={"late_accesses": 1}),
    Case("use_after_resize", "lifetime", late("read", "resize"),
         variants=STORES, status=66, counters={"late_accesses": 1}),
    Case("double_free", "lifetime", late("free", "give_back"), status=66),
    Case("wild_jump", "lifetime", crash("a jump to no code"), status=-11, end="signal"),
    # Each page of the two would be sealed again while the other is opened.
    Case("wild_store", "lifetime", variants=("auto", "windowless"), counters={"traps": 1}),
    Case("others_freed", "lifetime", variants=QUIET,
         counters={"traps": 1, "windows": 1, "quarantined": 1}),
    Case("thread_exit", "lifetime", variants=QUIET, counters={"traps": 1}),

    Case("other_words", "ordered", variants=QUIET,
         counters={"traps": 1, "windows": 1, "collisions_harmless": 1}),
    Case("stride_and_dim", "ordered", **NOTHING),
    Case("atomics", "ordered", **NOTHING),
    Case("exchanges", "ordered", **NOTHING),
    Case("atomics_add_up", "ordered", **NOTHING),
    Case("locked", "ordered", **NOTHING),
    Case("handed_over", "ordered", **NOTHING),
    Case("slow_constructor", "ordered", variants=QUIET, counters={"traps": 3}),
    Case("alone", "ordered", variants=QUIET, counters={"traps": 1}),

    Case("quick_end", "process", race("write", "read"), status=66, end="_exit"),
    Case("raw_end", "process", race("write", "read"), end=None),
    Case("killed", "process", race("write", "read"), status=-9, end="signal"),
    Case("failure", "process", race("write", "read"), status=3),
    Case("descriptors", "process", race("write", "read"), status=66,
         variants=("auto", "step")),
    Case("worker", "process", race("write", "read"), children=1, in_child=True),
    Case("forks", "process", children=6, variants=("auto", "step", "defaults"),
         counters=TRAPPED),
    Case("raw_clones", "process", variants=("auto", "step", "defaults"), counters=TRAPPED),

    Case("interrupted", "signals", variants=("auto", "step", "emulate"), counters=TRAPPED),
    Case("jumps", "signals", variants=("auto", "step", "emulate"), counters=TRAPPED),
    Case("source_is_gone", "signals", variants=("auto", "step", "emulate"),
         counters=TRAPPED),
    Case("exception_first", "signals", variants=("auto", "step"), counters={"traps": 1}),
    Case("late_handlers", "signals", race("write", "read"), status=66,
         variants=("auto", "step"), counters=TRAPPED),
    Case("cancelled", "signals", variants=("auto", "step"), counters=TRAPPED),
    Case("exit_in_window", "signals", race("write", "read"), status=66,
         variants=("auto", "step"), counters=TRAPPED),
    Case("reload", "signals", variants=("auto", "step"),
         counters={"traps": 1, "left_out_unbound": 1}),
]

BY_NAME = {case.name: case for case in CASES}
