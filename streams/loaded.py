"""Kinds of parts by name, each loaded when it is asked for: a program that starts again must not
wait for parts that it does not use."""

import importlib
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TypeVar

T = TypeVar("T")


class Loaded(MutableMapping[str, type[T]]):
    """`classes` of a package, by the modules that hold them. Others may be added."""

    def __init__(self, package: str, classes: Mapping[str, str]) -> None:
        self._package = package
        self._classes = classes
        self._found: dict[str, type[T] | None] = dict.fromkeys(classes)

    def __getitem__(self, name: str) -> type[T]:
        found = self._found[name]
        if found is None:
            module = importlib.import_module(f"{self._package}.{name}")
            found = self._found[name] = getattr(module, self._classes[name])
        return found

    def __setitem__(self, name: str, kind: type[T]) -> None:
        self._found[name] = kind

    def __delitem__(self, name: str) -> None:
        del self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)
