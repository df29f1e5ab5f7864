"""How a corpus is made: what decides where its texts are cut and what their vectors are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rag.settings import Settings

# Raise it when the chunkers (ingest/chunking) would cut the same text differently.
CHUNKER_VERSION = 1


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides where a text is cut and what its vectors are."""

    embedder: str  # fingerprint
    model: str = ""  # as IBID_EMBEDDER named it; "" for whichever it names now
    chunker: str = "packed"
    chunk_tokens: int = 254
    chunker_version: int = CHUNKER_VERSION

    @property
    def window(self) -> int:
        """Neighbours on each side that are read with a candidate: chunks of single sentences need them."""
        return 2 if self.chunker == "sentence_window" else 0


def recipe_of(settings: Settings, embedder: str) -> Recipe:
    """Return how the settings would make a generation, given the fingerprint of their embedder."""
    return Recipe(
        embedder,
        _lasting_name(settings.corpus.embedder),
        settings.corpus.chunker,
        settings.corpus.chunk_tokens,
    )


def not_in_force(corpus: str, recipe: Recipe, settings: Settings) -> str:
    """Return what to say where a corpus is made otherwise than the settings ask for; "" where it is not."""
    model = _lasting_name(settings.corpus.embedder)
    pairs = {
        "IBID_EMBEDDER": (model, recipe.model or model),
        "IBID_CHUNKER": (settings.corpus.chunker, recipe.chunker),
        "IBID_CHUNK_TOKENS": (settings.corpus.chunk_tokens, recipe.chunk_tokens),
    }
    other = [
        f"{name} is {asked}, and here {made} stays in force"
        for name, (asked, made) in pairs.items()
        if asked != made
    ]
    if not other:
        return ""
    return (
        f"{corpus!r} goes on as it was made: {'; '.join(other)}. "
        f"`ibid generations build --corpus {corpus}` makes it anew."
    )


def _lasting_name(model: str) -> str:
    """Return a model's name as processes in other folders understand it too."""
    folder = Path(model)
    return str(folder.resolve()) if model != "trunk" and folder.is_dir() else model
