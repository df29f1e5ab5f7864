"""Run the packaged networks: ONNX Runtime int8, one text or pair a run, in parallel over them.

A run has one item, because int8 activations are scaled over a whole batch: in a batch a text would get another vector
(cosine 0.98 to its own), and the same question in another order would get other results.
"""

from __future__ import annotations

import copy
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime
from threadpoolctl import threadpool_limits
from tokenizers import Encoding, Tokenizer, normalizers

from rag.errors import ModelError, Stopped
from rag.models import prepare, trunk

# Tokens of a question that the pack's networks read, as in training: its last ones, where a dialogue asks.
QUESTION_TOKENS = 48
PROBE = ("Who wrote Hamlet?", "William Shakespeare wrote the tragedy of Hamlet between 1599 and 1601.")

_LOWEST_PRIORITY = 19  # as in nice(1)
_HALF = re.compile("[\ud800-\udfff]")
_A = TypeVar("_A")
_B = TypeVar("_B")


class Runner:
    """One network and its tokenizer. Safe for several threads.

    Args:
        path: the prepared network.
        threads: pairs to run at once; 0 means one for each core that this process may use.
        tokenizer: the trunk's by default.
        ends: the tokens around each text.
    """

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 0,
        tokenizer: Tokenizer | None = None,
        ends: tuple[str, str] = ("[CLS]", "[SEP]"),
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # texts run in parallel instead, which scales; ORT's pool does not
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's errors share no base class
            raise ModelError(
                f"The prepared model {path} does not load ({error}); delete that file and run `make install`."
            ) from error
        self.inputs = [one.name for one in self._session.get_inputs()]
        self._tokenizer = tokenizer or trunk_tokenizer()
        self._cls, self._sep = (_token_id(self._tokenizer, name) for name in ends)
        threadpool_limits(1, user_api="blas")  # numpy's spinning threads cost a question 30 ms
        self._threads = threads or cores()
        self._pool = _pool(self._threads)
        self._stop = threading.Event()

    def in_background(self, stop: threading.Event | None = None) -> Runner:
        """Return the same network for background work: its threads run when no other wants the cores.

        Without it, a question would wait behind every text that is queued for indexing.

        Args:
            stop: once set, `tokenise` and `each` raise Stopped, `each` at its next item.
        """
        yielding = copy.copy(self)
        yielding._pool = _pool(self._threads, yielding=True)
        yielding._stop = stop or self._stop
        return yielding

    @property
    def separator(self) -> int:
        """The id of [SEP]."""
        return self._sep

    def tokenise(self, texts: Sequence[str]) -> list[Encoding]:
        """Tokenise without a limit and without special tokens; offsets are code points."""
        self._go_on()
        return self._tokenizer.encode_batch([whole(text) for text in texts], add_special_tokens=False)

    def each(self, work: Callable[[_A], _B], items: Iterable[_A]) -> list[_B]:
        """Apply `work`, which calls `run`, to each item in parallel; order is kept."""

        def work_unless_stopped(item: _A) -> _B:
            self._go_on()
            return work(item)

        return list(self._pool.map(work_unless_stopped, items))

    def _go_on(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def run(
        self, first: Sequence[int], second: Sequence[int] | None = None, **more: np.ndarray
    ) -> list[np.ndarray]:
        """Return the network's outputs for `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`.

        Outputs keep their batch axis of 1.

        Args:
            more: the other inputs of the network by name, if it has any.
        """
        ids = [self._cls, *first, self._sep]
        types = [0] * len(ids)
        if second is not None:
            ids += [*second, self._sep]
            types += [1] * (len(second) + 1)
        tokens = np.array([ids], np.int64)  # (1, n_tokens)
        given = {
            "input_ids": tokens,
            "attention_mask": np.ones_like(tokens),
            "token_type_ids": np.array([types], np.int64),
            **more,
        }
        outputs: list[np.ndarray] = self._session.run(None, {name: given[name] for name in self.inputs})
        return outputs


def whole(text: str) -> str:
    """Replace each half of a surrogate pair, which no tokenizer accepts, by U+FFFD; offsets are unchanged."""
    return _HALF.sub("\ufffd", text)


@cache
def pack_runner(job: str, *, threads: int = 0) -> Runner:
    """Return a network of the pack, prepared now if set-up has not; loaded once per process.

    Raises:
        ModelError: if its weights are damaged, missing or were made for another trunk.
    """
    return Runner(prepare.prepared(job), threads=threads)


def probe(runner: Runner) -> list[float]:
    """Return the largest logit of each output for PROBE, which identifies a prepared network."""
    first, second = (tokens.ids for tokens in runner.tokenise(PROBE))
    width = len(first) + len(second) + 3
    more = {}
    if "units" in runner.inputs:  # one unit, the whole text, without a place
        unit = np.array([[0] * (len(first) + 2) + [1] * len(second) + [0]], np.int64)
        more = {"placed": np.zeros((1, width), np.int64), "units": unit, "owners": np.zeros(1, np.int64)}
    return [round(float(np.max(output)), 2) for output in runner.run(first, second, **more)]


def cores() -> int:
    """Return how many cores this process may use: in a container, often fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def trunk_tokenizer() -> Tokenizer:
    """Return the trunk's tokenizer, without padding or truncation; all networks share it.

    It reads full-width letters, ligatures and other compatibility characters as the plain ones (NFKC), as the lexical
    index does; offsets are those of the text as it is.
    """
    tokenizer = Tokenizer.from_file(str(trunk.trunk_folder() / "tokenizer.json"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), tokenizer.normalizer])
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@cache
def _pool(threads: int, *, yielding: bool = False) -> ThreadPoolExecutor:
    """Return the pool that all networks share, so there are no more computing threads than cores."""
    if yielding:
        return ThreadPoolExecutor(threads, thread_name_prefix="indexer", initializer=yield_to_others)
    return ThreadPoolExecutor(threads, thread_name_prefix="encoder")


def yield_to_others() -> None:
    """Give this thread the lowest priority; only Linux has priorities per thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)


def _token_id(tokenizer: Any, token: str) -> int:
    number = tokenizer.token_to_id(token)
    if number is None:
        raise ModelError(f"The model's tokenizer has no {token}; reinstall the package that it came in.")
    return int(number)
