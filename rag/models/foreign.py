"""Load models that do not come with Ibid, by local path or hub name, and refuse models of the wrong kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rag.errors import ModelError


@contextmanager
def loading(job: str, name: str, expected: str, *, threads: int = 0) -> Iterator[None]:
    """Set up torch for a foreign model, and turn any loading error into one that says what to do.

    Args:
        expected: what the name should refer to, such as `a folder or hub name of a CrossEncoder`.
        threads: torch's threads in the whole process; 0 leaves them unchanged.

    Raises:
        ModelError: for any failure; a ModelError passes through unchanged.
    """
    import torch  # imported here: it takes seconds

    if threads:
        torch.set_num_threads(threads)
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # hub, file and format errors share no base class
        raise ModelError(
            f"The {job} {name!r} does not load ({error}); expected {expected}; "
            "models on the hub are downloaded only with HF_HUB_OFFLINE=0."
        ) from error


def expect_architecture(config: Any, suffix: str, name: str) -> None:
    """Refuse a transformers model of another kind, whose head would be initialised at random.

    Args:
        suffix: ending of the expected architecture's name, such as `ForQuestionAnswering`.

    Raises:
        ModelError: if the architecture is another; names what was found and what was expected.
    """
    found = [str(architecture) for architecture in getattr(config, "architectures", None) or []]
    if not any(architecture.endswith(suffix) for architecture in found):
        raise ModelError(
            f"{name!r} is {', '.join(found) or 'of no stated architecture'}; "
            f"expected a model whose architecture ends in {suffix}."
        )


def whole_model(kind: Any, name: str) -> Any:
    """Load a transformers model for use; refuse one that lacks weights, which would be initialised at random.

    Args:
        kind: one of transformers' AutoModel classes.

    Raises:
        ModelError: if weights are missing or have another shape; names them.
    """
    model, report = kind.from_pretrained(name, trust_remote_code=False, output_loading_info=True)
    absent = [str(key) for wrong in ("missing_keys", "mismatched_keys") for key in report.get(wrong, ())]
    if absent:
        raise ModelError(
            f"{name!r} lacks the weights {', '.join(absent[:3])}; expected a model trained for its job."
        )
    return model.eval()
