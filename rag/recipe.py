"""From settings to how a corpus is made."""

from __future__ import annotations

from pathlib import Path

from rag.settings import Settings
from rag.types import Recipe


def recipe_of(settings: Settings, embedder: str) -> Recipe:
    """Return how the settings would make a generation, given the fingerprint of their embedder."""
    return Recipe(
        embedder,
        _lasting_name(settings.corpus.embedder),
        settings.corpus.chunker,
        settings.corpus.chunk_tokens,
    )


def not_in_force(corpus: str, recipe: Recipe, settings: Settings) -> str:
    """Return a warning if a corpus is made differently from what the settings ask for, else ""."""
    model = _lasting_name(settings.corpus.embedder)
    pairs = {
        "IBID_EMBEDDER": (model, recipe.model or model),
        "IBID_CHUNKER": (settings.corpus.chunker, recipe.chunker),
        "IBID_CHUNK_TOKENS": (settings.corpus.chunk_tokens, recipe.chunk_tokens),
    }
    other = [
        f"{name} is {asked}, but this corpus keeps {made}"
        for name, (asked, made) in pairs.items()
        if asked != made
    ]
    if not other:
        return ""
    return (
        f"{corpus!r} keeps the way it was made: {'; '.join(other)}. "
        f"`ibid generations build --corpus {corpus}` rebuilds it."
    )


def _lasting_name(model: str) -> str:
    """Return a model's name in a form that is valid from any working folder."""
    folder = Path(model)
    return str(folder.resolve()) if model != "trunk" and folder.is_dir() else model
