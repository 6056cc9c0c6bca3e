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
from copy import deepcopy
from functools import lru_cache
from itertools import product
from pathlib import Path
from types import CodeType, ModuleType
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
        Mutant(detector, number, place.lineno, ast.unparse(place), ast.unparse(other))
        for number, (place, other) in enumerate(_changes(_tree(detector)))
    ]


def survives(mutant: Mutant) -> bool:
    """Whether every story of the detector ends as ever."""
    tree = deepcopy(_tree(mutant.detector))
    for number, (place, other) in enumerate(_changes(tree)):
        if number == mutant.number:
            tree = _Replace(place, other).visit(tree)
            break
    name = f"agents.detectors.{mutant.detector}"
    module = ModuleType(name)
    module.__file__ = str(DETECTORS / f"{mutant.detector}.py")
    code = compile(ast.fix_missing_locations(tree), module.__file__, "exec")
    with _standing_in(name, module):
        exec(code, module.__dict__)
        return _stories_hold(mutant.detector)


def _stories_hold(detector: str) -> bool:
    stories: dict[str, Any] = {"__name__": f"stories_of_{detector}"}
    exec(_stories(detector), stories)
    for name, story in stories.items():
        if name.startswith("test_"):
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
            names = [name.strip() for name in mark.args[0].split(",")]
            values = case if len(names) > 1 else [case]
            arguments.update(zip(names, values, strict=True))
        yield arguments


def _changes(tree: ast.Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Each expression to change, and what to put in its place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            for at, operator in enumerate(node.ops):
                other = deepcopy(node)
                other.ops[at] = TURNED[type(operator)]()
                yield node, other
        elif isinstance(node, ast.BoolOp):
            other = deepcopy(node)
            other.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield node, other
        elif isinstance(node, ast.ClassDef) and _is_detector(node):
            for setting in node.body:
                if isinstance(setting, ast.AnnAssign) and _is_number(setting.value):
                    for number in _near(setting.value.value):
                        yield setting.value, ast.copy_location(ast.Constant(number), setting.value)


def _near(number: float) -> tuple[float, ...]:
    """A count is off by one, a share by a tenth, a time doubled and halved."""
    if isinstance(number, int):
        return number - 1, number + 1
    return (number - 0.1, number + 0.1) if number < 1 else (number / 2, number * 2)


def _is_detector(node: ast.ClassDef) -> bool:
    return any(isinstance(base, ast.Name) and base.id == "Detector" for base in node.bases)


def _is_number(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and type(value.value) in (int, float)


class _Replace(ast.NodeTransformer):
    def __init__(self, place: ast.expr, other: ast.expr) -> None:
        self._place, self._other = place, other

    def visit(self, node: ast.AST) -> Any:
        return self._other if node is self._place else super().visit(node)


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


@lru_cache
def _tree(detector: str) -> ast.Module:
    return ast.parse((DETECTORS / f"{detector}.py").read_text(encoding="utf-8"))


@lru_cache
def _stories(detector: str) -> CodeType:
    path = STORIES / f"test_{detector}.py"
    return compile(path.read_text(encoding="utf-8"), str(path), "exec")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or detectors():
        found = mutants(chosen)
        left = [mutant for mutant in found if survives(mutant)]
        print(f"{chosen}: {len(found)} mutants, {len(left)} survive", *left, sep="\n  ")
