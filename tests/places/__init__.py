"""Where each format can hold text: one module for each family of formats, each with its `PLACES`."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Somewhere in a file where a word can stand."""

    suffix: str  # "docx"
    where: str  # as a person would say: "the header of the first page"
    make: Callable[[str], bytes]  # a file with the word there
    omitted: str = ""  # the kind of omission that names it; "": the word is taken
    repeats: bool = False  # it stands at several places of the page, as a merged cell does
