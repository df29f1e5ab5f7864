"""From settings to how a corpus is made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rag.settings import Settings
from rag.types import Recipe

# The embedders that IBID_EMBEDDER knows by name. AUTO is MULTILINGUAL for a corpus that is mostly in other languages
# than English, and otherwise TRUNK, which is also the model of all that belongs to no corpus.
TRUNK, MULTILINGUAL, AUTO = "trunk", "multilingual", "auto"


def recipe_of(settings: Settings, embedder: str) -> Recipe:
    """Return how the settings would make a generation, given the fingerprint of their embedder."""
    return Recipe(
        embedder,
        _lasting_name(settings.corpus.embedder),
        settings.corpus.chunker,
        settings.corpus.chunk_tokens,
    )


def recipe_after(settings: Settings, embedder: str, serving: Recipe) -> Recipe:
    """Return how the settings would make the next generation of a corpus: AUTO keeps the model that was chosen."""
    made = recipe_of(settings, embedder)
    if settings.corpus.embedder == AUTO and serving.model == MULTILINGUAL:
        return replace(made, embedder=serving.embedder, model=serving.model)
    return made


def not_in_force(corpus: str, recipe: Recipe, settings: Settings) -> str:
    """Return a warning if a corpus is made differently from what the settings ask for, else ""."""
    model = _lasting_name(settings.corpus.embedder)
    pairs = {
        "IBID_EMBEDDER": (model, _choice(recipe.model, settings) or model),
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


def _choice(model: str, settings: Settings) -> str:
    """Return the name of a corpus's model, or "" where AUTO may have chosen it."""
    return "" if settings.corpus.embedder == AUTO and model in (TRUNK, MULTILINGUAL) else model


def _lasting_name(model: str) -> str:
    """Return a model's name in a form that is valid from any working folder."""
    if model in (TRUNK, MULTILINGUAL):
        return model
    if model == AUTO:
        return TRUNK
    folder = Path(model)
    return str(folder.resolve()) if folder.is_dir() else model
