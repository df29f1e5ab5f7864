"""The packages that evaluation needs beyond what the service runs on: Ibid's extra `eval`."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from rag.errors import IbidError

PACKAGES = ("ir_measures", "ragas", "instructor", "matplotlib")


def require_extra(packages: Iterable[str] = PACKAGES) -> None:
    """Check, before anything is asked or measured, that evaluation's packages are installed; imports none.

    Raises:
        IbidError: naming those that are absent, and how to install them.
    """
    absent = [name for name in packages if find_spec(name) is None]
    if absent:
        raise IbidError(
            f"Evaluation needs {', '.join(absent)}, which the service does without: install Ibid with its extra "
            "`eval`, or run `make install-dev` in a clone."
        )
