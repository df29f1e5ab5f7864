"""Rebuild a corpus again and again, beside a server that changes it, until killed: `python -m ... HOME CORPUS SEED`.

Each round begins a generation with another chunk size, builds and swaps it, and sometimes rolls back or prunes.
"""

from __future__ import annotations

import random
import sys
import time
from dataclasses import replace
from pathlib import Path

from ingest import rebuild as generations
from ingest.build import Builder
from rag.errors import NotFound
from rag.models.embed import load_embedder
from rag.settings import Settings
from rag.store.catalog import Catalog

SIZES = (254, 128, 64, 32)  # tokens


def renew(builder: Builder, catalog: Catalog, corpus: str, chance: random.Random) -> None:
    """Begin, build and swap one generation; sometimes roll back, and delete what is no longer needed."""
    serving = catalog.generations.serving(corpus).recipe
    size = chance.choice([size for size in SIZES if size != serving.chunk_tokens])
    new = catalog.generations.begin(corpus, replace(serving, chunk_tokens=size))
    generations.swap(catalog, builder.maker(new))
    if chance.random() < 0.3:
        generations.swap(catalog, builder.maker(generations.previous(catalog, corpus)))
    if chance.random() < 0.5:
        for generation in generations.needless(catalog, corpus, everything=chance.random() < 0.3):
            catalog.generations.prune(generation)


def main() -> None:
    """Rebuild until killed; wait for a corpus that does not exist yet."""
    home, corpus, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    settings, catalog, embedder = Settings(home=home), Catalog(home), load_embedder(threads=1)
    builder, chance = Builder(catalog, embedder, settings), random.Random(seed)
    while True:
        try:
            renew(builder, catalog, corpus, chance)
        except NotFound:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
