"""The runner: the inputs of a network, order and parallelism; texts of every kind; damaged files."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from rag.errors import ModelError, Stopped
from rag.models.prepare import prepared_trunk
from rag.models.runtime import PROBE, Runner, pack_runner, probe, trunk_tokenizer
from tests.waiting import HANG_S

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
CLS, SEP = 101, 102  # as in BERT's vocabulary


def save_echo(path: Path, inputs: Sequence[str] = INPUTS) -> Path:
    """Save a network whose outputs are its inputs."""
    given, returned = (
        [
            helper.make_tensor_value_info(f"{head}{name}", TensorProto.INT64, ["batch", "tokens"])
            for name in inputs
        ]
        for head in ("", "seen_")
    )
    nodes = [helper.make_node("Identity", [name], [f"seen_{name}"]) for name in inputs]
    graph = helper.make_graph(nodes, "echo", given, returned)
    onnx.save(helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)]), str(path))
    return path


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    return Runner(save_echo(tmp_path_factory.mktemp("echo") / "echo.onnx"), threads=2)


def test_a_pair_is_laid_out_as_in_training(echo: Runner) -> None:
    ids, mask, types = echo.run([7, 8], [9, 10, 11])
    assert ids.tolist() == [[CLS, 7, 8, SEP, 9, 10, 11, SEP]]
    assert mask.tolist() == [[1] * 8]
    assert types.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]


def test_one_text_stands_alone(echo: Runner) -> None:
    ids, mask, types = echo.run([7, 8])
    assert (ids.tolist(), mask.tolist(), types.tolist()) == ([[CLS, 7, 8, SEP]], [[1] * 4], [[0] * 4])
    assert echo.run([])[0].tolist() == [[CLS, SEP]]
    assert echo.run([], [])[2].tolist() == [[0, 0, 1]]  # an empty second text is still one


def test_a_network_gets_only_what_it_asks_for(tmp_path: Path) -> None:
    runner = Runner(save_echo(tmp_path / "less.onnx", ["attention_mask", "input_ids"]), threads=1)
    mask, ids = runner.run([7], [8])
    assert (mask.tolist(), ids.tolist()) == ([[1] * 5], [[CLS, 7, SEP, 8, SEP]])


def test_work_keeps_its_order(echo: Runner) -> None:
    def slow_first(number: int) -> list[int]:
        time.sleep(0.01 * (5 - number) if number < 5 else 0)
        tokens: list[int] = echo.run([number])[0][0].tolist()
        return tokens

    assert echo.each(slow_first, range(1000, 1040)) == [[CLS, n, SEP] for n in range(1000, 1040)]
    assert echo.each(slow_first, []) == []


def test_an_error_in_the_work_reaches_who_asked(echo: Runner) -> None:
    with pytest.raises(ZeroDivisionError):
        echo.each(lambda number: 1 // number, [1, 0])


def test_many_threads_share_a_runner(echo: Runner) -> None:
    def ask(number: int) -> list[int]:
        tokens: list[int] = echo.run([number], [number])[0][0].tolist()
        return tokens

    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda start: echo.each(ask, range(start, start + 20)), range(1000, 1016))
        for start, got in zip(range(1000, 1016), found, strict=True):
            assert got == [[CLS, n, SEP, n, SEP] for n in range(start, start + 20)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Heron waits.", ["The", "Heron", "waits", "."]),
        ("🦩 é 東京", ["🦩", "é", "東", "京"]),
        ("ÉTÉ\r\n\tà", ["ÉTÉ", "à"]),
        ("", []),
        (" \n", []),
    ],
)
def test_offsets_are_code_points(echo: Runner, text: str, words: list[str]) -> None:
    (tokens,) = echo.tokenise([text])
    joined: list[list[int]] = []  # pieces of one word touch
    for start, end in tokens.offsets:
        if joined and joined[-1][1] == start and text[start].isalpha() and text[start] < "\u2e80":
            joined[-1][1] = end
        else:
            joined.append([start, end])
    assert [text[start:end] for start, end in joined] == words


def test_half_a_character_shifts_nothing(echo: Runner) -> None:
    for text in ("ab \ud800 cd", "ab \udfff cd", "ab\ud800\ud800 cd"):
        (tokens,) = echo.tokenise([text])
        shown = [text[start:end] for start, end in tokens.offsets]
        assert (shown[0], shown[-1]) == ("ab", "cd")


def test_nothing_is_cut_padded_or_marked(echo: Runner) -> None:
    short, long = echo.tokenise(["word", "word " * 5000])
    assert (len(short.ids), len(long.ids)) == (1, 5000)
    assert {CLS, SEP, 0}.isdisjoint(long.ids)
    assert echo.tokenise([]) == []
    assert trunk_tokenizer().token_to_id("[CLS]") == CLS
    assert trunk_tokenizer().token_to_id("[SEP]") == SEP


def test_company_changes_nothing() -> None:
    runner = Runner(prepared_trunk(), threads=2)
    texts = [
        tokens.ids for tokens in runner.tokenise(["The lamp burns oil.", "Ferries leave at noon. " * 9, "x"])
    ]
    together = runner.each(runner.run, texts)
    for ids, (vectors,) in zip(texts, together, strict=True):
        assert vectors.shape == (1, len(ids) + 2, 384)
        assert (vectors == runner.run(ids)[0]).all()


def test_a_probe_is_the_largest_logit_of_each_output(echo: Runner) -> None:
    first, second = (tokens.ids for tokens in echo.tokenise(PROBE))
    assert probe(echo) == [max(CLS, SEP, *first, *second), 1, 1]


@pytest.mark.parametrize("content", [None, b"", b"not a network", "half"])
def test_a_damaged_network_is_named_with_the_remedy(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "job.int8.onnx"
    if content == "half":
        whole = save_echo(path).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(
        ModelError, match=r"(?s)job\.int8\.onnx does not load .*delete that file and run `make install`"
    ):
        Runner(path)


def test_a_runner_of_the_pack_is_loaded_once() -> None:
    assert pack_runner("compressor", threads=1) is pack_runner("compressor", threads=1)
    with pytest.raises(ModelError, match="'poet' is not a job of the pack"):
        pack_runner("poet")


# background work


def priority(_: object) -> int:
    time.sleep(0.01)  # so that every thread of the pool gets its share
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_work_in_the_background_gives_way(echo: Runner) -> None:
    yielding = echo.in_background()
    ours = priority(None)
    assert set(echo.each(priority, range(8))) == {ours}
    assert set(yielding.each(priority, range(8))) == {19}
    assert yielding.run([7, 8])[0].tolist() == echo.run([7, 8])[0].tolist()


def test_a_stop_ends_work_in_the_background_at_the_next_item_and_no_other(echo: Runner) -> None:
    stop, done = threading.Event(), []

    def work(item: int) -> int:
        done.append(item)
        if item == 3:
            stop.set()
        return item

    yielding = echo.in_background(stop)
    with pytest.raises(Stopped):
        yielding.each(work, range(1000))
    assert 3 in done
    assert len(done) < 1000
    with pytest.raises(Stopped):
        yielding.tokenise(["A text."])
    assert echo.each(work, range(4)) == [0, 1, 2, 3]
    assert len(echo.tokenise(["A text."])) == 1


def test_a_question_does_not_wait_for_what_is_queued_in_the_background(echo: Runner) -> None:
    working, free = threading.Semaphore(0), threading.Event()

    def slow(_: int) -> bool:
        working.release()
        return free.wait(HANG_S)

    with ThreadPoolExecutor(1) as indexing:
        queued = indexing.submit(echo.in_background().each, slow, range(20))
        assert working.acquire(timeout=HANG_S)
        assert echo.each(lambda one: one + 1, range(4)) == [1, 2, 3, 4]
        assert not queued.done()
        free.set()
        assert queued.result(HANG_S) == [True] * 20
