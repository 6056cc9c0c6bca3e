"""Mutants of a detector: each comparison turned, each `and` an `or`, each setting a little off.

A mutant that no story notices is a threshold that nobody tests. A detector's stories are the test
functions of the file of its name (tests/detectors/test_NAME.py); they take no fixtures, so that
they can be run here many times in one process. Property tests live in other files.

    python -m tests.detectors.mutate auth_dictionary     # the mutants that survive
"""

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice, product
from pathlib import Path
from time import perf_counter
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
DETECTORS = ROOT / "agents" / "detectors"
STORIES = Path(__file__).parent

TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


class Mutant(NamedTuple):
    detector: str
    number: int
    line: int
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.detector}:{self.line}: {self.was} -> {self.now}"


def detectors() -> list[str]:
    """The names of all detector files."""
    return sorted(path.stem for path in DETECTORS.glob("[!_]*.py"))


def mutants(detector: str) -> list[Mutant]:
    return [
        Mutant(detector, number, node.lineno, *_texts(node, field, value))
        for number, (node, field, value) in enumerate(_changes(_parsed(detector)))
    ]


def survives(mutant: Mutant) -> bool:
    """Whether every story of the detector ends as ever."""
    tree = _parsed(mutant.detector)
    node, field, value = next(islice(_changes(tree), mutant.number, None))
    setattr(node, field, value)
    name = f"agents.detectors.{mutant.detector}"
    module = ModuleType(name)
    module.__file__ = str(DETECTORS / f"{mutant.detector}.py")
    order = _likely(mutant.detector, node, field)
    with _standing_in(name, module):
        exec(compile(tree, module.__file__, "exec"), module.__dict__)
        stories = _stories(mutant.detector)
        return all(_holds(stories[story]) for story in order)


def broken(detector: str) -> list[str]:
    """The stories that do not even hold for the detector as it is."""
    stories = _stories(detector)
    return [name for name in _by_cost(detector) if not _holds(stories[name])]


def _stories(detector: str) -> dict[str, Any]:
    """The stories, told of whatever detector now stands under its name."""
    names: dict[str, Any] = {"__name__": f"stories_of_{detector}"}
    exec(_code(detector), names)
    return {name: story for name, story in names.items() if name.startswith("test_")}


@lru_cache
def _by_cost(detector: str) -> list[str]:
    """The names of the stories, the quickest first: most mutants die early."""
    costs = {}
    for name, story in _stories(detector).items():
        begun = perf_counter()
        _holds(story)
        costs[name] = perf_counter() - begun
    return sorted(costs, key=costs.__getitem__)


def _likely(detector: str, node: ast.expr, field: str) -> list[str]:
    """The stories that a change may show in, the quickest first. What a story never comes to
    cannot change it; a setting may be read anywhere, but is read in the file first of all."""
    reached, order = _reached(detector), _by_cost(detector)
    first, last = node.lineno, node.end_lineno or node.lineno
    if field != "value":
        return [story for story in order if not reached[story].isdisjoint(range(first, last + 1))]
    read = _readers(detector, first)
    return sorted(order, key=lambda story: reached[story].isdisjoint(read))


def _readers(detector: str, line: int) -> set[int]:
    """The lines that read the setting which is defined in this one."""
    tree = _parsed(detector)
    names = {
        node.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if node.lineno <= line <= (node.end_lineno or line)
    }
    return {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in names
    }


@lru_cache
def _reached(detector: str) -> dict[str, set[int]]:
    """The lines of the detector's file that each story comes to."""
    path = str(DETECTORS / f"{detector}.py")
    found: dict[str, set[int]] = {}

    def enters(frame: FrameType, event: str, _: Any) -> Any:
        return steps if frame.f_code.co_filename == path else None

    def steps(frame: FrameType, event: str, _: Any) -> Any:
        lines.add(frame.f_lineno)
        return steps

    for name, story in _stories(detector).items():
        lines = found[name] = set()
        before = sys.gettrace()
        sys.settrace(enters)
        try:
            _holds(story)
        finally:
            sys.settrace(before)
    return found


def _holds(story: Any) -> bool:
    for arguments in _cases(story):
        try:
            story(**arguments)
        except Exception:
            return False
    return True


def _cases(story: Any) -> Iterator[dict[str, Any]]:
    """The arguments of each case of a story (pytest.mark.parametrize)."""
    marks = [m for m in getattr(story, "pytestmark", ()) if m.name == "parametrize"]
    for chosen in product(*(mark.args[1] for mark in marks)):
        arguments: dict[str, Any] = {}
        for mark, case in zip(marks, chosen, strict=True):
            if isinstance(mark.args[0], str):
                arguments[mark.args[0]] = case
            else:
                arguments.update(zip(mark.args[0], case, strict=True))
        yield arguments


def _changes(tree: ast.Module) -> Iterator[tuple[ast.expr, str, Any]]:
    """Each node to change, its field, and what to put there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for at, operator in enumerate(node.ops):
                turned = TURNED[type(operator)]()
                yield node, "ops", [*node.ops[:at], turned, *node.ops[at + 1 :]]
        elif isinstance(node, ast.BoolOp):
            yield node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()
        elif isinstance(node, ast.ClassDef) and _is_detector(node):
            for setting in node.body:
                if isinstance(setting, ast.AnnAssign) and _is_number(setting.value):
                    for number in _near(setting.value.value):
                        yield setting.value, "value", number


def _texts(node: ast.expr, field: str, value: Any) -> tuple[str, str]:
    """The source of a node as it was and as it would be."""
    was, before = ast.unparse(node), getattr(node, field)
    setattr(node, field, value)
    now = ast.unparse(node)
    setattr(node, field, before)
    return was, now


def _near(number: float) -> tuple[float, ...]:
    """A count is off by one, a share by a tenth, a time doubled and halved."""
    if isinstance(number, int):
        return number - 1, number + 1
    return (number - 0.1, number + 0.1) if number < 1 else (number / 2, number * 2)


def _is_detector(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == "Detector" for base in node.bases)


def _is_number(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and type(value.value) in (int, float)


@contextmanager
def _standing_in(name: str, module: ModuleType) -> Iterator[None]:
    real = sys.modules.get(name)
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]
        if real is not None:
            sys.modules[name] = real


def _parsed(detector: str) -> ast.Module:
    return ast.parse(_source(detector))


@lru_cache
def _source(detector: str) -> str:
    return (DETECTORS / f"{detector}.py").read_text(encoding="utf-8")


@lru_cache
def _code(detector: str) -> CodeType:
    path = STORIES / f"test_{detector}.py"
    return compile(path.read_text(encoding="utf-8"), str(path), "exec")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or detectors():
        found = mutants(chosen)
        left = [mutant for mutant in found if survives(mutant)]
        print(f"{chosen}: {len(found)} mutants, {len(left)} survive", *left, sep="\n  ")
