"""For every format, a word put into each place that can hold text comes out, or is named as not taken.

`tests/places/` lists the places, a module for each family of formats.
"""

import importlib
import itertools
import pkgutil
import string

import pytest

from ingest.load import load
from tests import places
from tests.places import Place

MODULES = sorted(module.name for module in pkgutil.iter_modules(places.__path__))
PLACES: list[Place] = [
    place for name in MODULES for place in importlib.import_module(f"tests.places.{name}").PLACES
]
# No dictionary, file or library holds these
WORDS = [f"zyq{''.join(letters)}wuv" for letters in itertools.product(string.ascii_lowercase, repeat=2)]


@pytest.mark.parametrize(
    ("place", "word"),
    list(zip(PLACES, WORDS, strict=False)),
    ids=[f"{place.suffix}: {place.where}" for place in PLACES],
)
def test_every_place(place: Place, word: str) -> None:
    loaded = load(place.make(word), f"a.{place.suffix}")
    seen = f"{loaded.text} {' '.join(map(str, loaded.metadata.values()))}"
    if place.omitted:
        assert word not in seen
        assert place.omitted in {omission.kind for omission in loaded.omissions}
    else:
        assert word in seen, loaded
        # Once: a word that stands on the page once is not found twice
        assert loaded.text.count(word) <= 1 or place.repeats
