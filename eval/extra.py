"""The packages that evaluation needs in addition to the service's: Ibid's extra `eval`."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec

from rag.errors import IbidError

PACKAGES = ("ir_measures", "ragas", "instructor", "matplotlib")


def require_extra(packages: Iterable[str] = PACKAGES) -> None:
    """Check that evaluation's packages are installed, before anything is measured. Imports none of them.

    Raises:
        IbidError: if packages are missing; names them and says how to install them.
    """
    absent = [name for name in packages if find_spec(name) is None]
    if absent:
        raise IbidError(
            f"Evaluation needs {', '.join(absent)}, which the service does not: install Ibid with its extra "
            "`eval`, or run `make install-dev` in a clone."
        )
