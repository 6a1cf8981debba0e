"""A value that is too long to hold: written while it is produced, read back piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

Item_co = TypeVar("Item_co", covariant=True)


class Stream(Generic[Item_co]):
    """The type of an output whose function yields (or returns a generator of) its items; and what a stage gets that takes it as an input.

    Iterating over one reads its file from the beginning, one item at a time, as often as one likes.
    """

    __slots__ = ()

    def __iter__(self) -> Iterator[Item_co]:
        raise NotImplementedError
