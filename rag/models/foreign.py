"""Load models that do not come with Ibid, by local path or hub name, and refuse what is none of its kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rag.errors import ModelError


@contextmanager
def loading(job: str, name: str, expected: str, *, threads: int = 0) -> Iterator[None]:
    """Set torch up for a foreign model, and turn whatever loading it raises into one error that says what to do.

    Args:
        expected: what the name should stand for, such as `a folder or hub name of a CrossEncoder`.
        threads: torch's, in the whole process; 0 leaves them as they are.

    Raises:
        ModelError: for any failure; one that is a ModelError already passes through.
    """
    import torch  # imported here: it costs every start seconds

    if threads:
        torch.set_num_threads(threads)
    try:
        yield
    except ModelError:
        raise
    except Exception as error:  # hub, file and format errors share no base class
        raise ModelError(
            f"The {job} {name!r} does not load ({error}); expected {expected}; "
            "what a hub name stands for is downloaded only with HF_HUB_OFFLINE=0."
        ) from error


def expect_architecture(config: Any, suffix: str, name: str) -> None:
    """Refuse a transformers model of another kind, whose head would be made up at random.

    Args:
        suffix: how the name of the expected architecture ends, such as `ForQuestionAnswering`.

    Raises:
        ModelError: naming what was found and what was expected.
    """
    found = [str(architecture) for architecture in getattr(config, "architectures", None) or []]
    if not any(architecture.endswith(suffix) for architecture in found):
        raise ModelError(
            f"{name!r} is {', '.join(found) or 'of no stated architecture'}; "
            f"expected a model whose architecture ends in {suffix}."
        )


def whole_model(kind: Any, name: str) -> Any:
    """Load a transformers model for use, and refuse one that lacks weights, which would be made up at random.

    Args:
        kind: one of transformers' AutoModel classes.

    Raises:
        ModelError: naming the weights that are absent or of another shape.
    """
    model, report = kind.from_pretrained(name, trust_remote_code=False, output_loading_info=True)
    absent = [str(key) for wrong in ("missing_keys", "mismatched_keys") for key in report.get(wrong, ())]
    if absent:
        raise ModelError(
            f"{name!r} lacks the weights {', '.join(absent[:3])}; expected a model trained for its job."
        )
    return model.eval()
