"""The gate: a real loss fails, noise does not, and the limits of a small set are reported."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from eval.checks import Check
from eval.gate import ALPHA, DEFAULT_RULES, Rule, Verdict, check_rules, judge_run, parse_rules
from eval.report.render import (
    comparison_markdown,
    error_junit,
    gate_json,
    gate_junit,
    gate_markdown,
    to_json,
)
from eval.run import RUN_FORMAT, QuestionOutcome, Run, interval, overall, read_run, save_run
from rag.errors import InvalidInput


def run_of(
    values: Mapping[str, Sequence[float | None]], *, ms: float = 100.0, checks: tuple[Check, ...] = ()
) -> Run:
    """A run whose questions have these values."""
    count = len(next(iter(values.values())))
    outcomes = tuple(
        QuestionOutcome(
            f"q{n}", f"print{n}", f"Question {n}?", True, (), (), (), "", True, "", 0.5, (),
            {name: column[n] for name, column in values.items()},
            {"total": ms * (1 + n / 100)},
            dict.fromkeys(("budget", "system", "tools", "memory", "evidence", "question"), 1),
        )
        for n in range(count)
    )  # fmt: skip
    size = {"documents": 1.0, "chunks": 1.0, "data folder, MB": 1.0, "peak memory, MB": 1.0}
    return Run(
        RUN_FORMAT,
        "set",
        "f",
        False,
        "c",
        "abc",
        "2026-01-01 00:00",
        {},
        "p",
        "pack",
        {},
        size,
        outcomes,
        checks,
    )


def scattered(share: float, count: int = 200, seed: int = 0) -> list[float | None]:
    return [float(x) for x in np.random.default_rng(seed).random(count) < share]


def test_rules_are_read() -> None:
    rules = parse_rules("context R@10 drops 0.02,ms total rises 20%, right drops 3%")

    assert rules == [Rule("context R@10", 0.02), Rule("ms total", 0.2, True), Rule("right", 0.03)]
    assert [str(rule) for rule in rules] == [
        "context R@10 drops 0.02",
        "ms total rises 20%",
        "right drops 0.03",
    ]
    assert len(parse_rules(DEFAULT_RULES)) == 13


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", "right", "right falls 0.1", "right drops", "ms total drops 1", "right rises 1%"),
        *("ms total rises 20", "right drops 3", "right drops 0.1, right drops 0.2"),
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="--fail-on"):
        parse_rules(text)


def test_the_same_run_passes() -> None:
    run = run_of({"right": scattered(0.7)})
    gate = judge_run(run, run, [Rule("right", 0.02)])

    assert gate.passed
    assert gate.verdicts[0].loss == 0
    assert gate.verdicts[0].resolution == pytest.approx(math.log(1 / ALPHA) / 200)
    assert gate.worst == ()


def test_a_loss_beyond_what_is_allowed_fails_and_one_within_does_not() -> None:
    before = run_of({"right": [1.0] * 100})
    now = run_of({"right": [1.0] * 70 + [0.0] * 30})

    failed = judge_run(before, now, [Rule("right", 0.1)]).verdicts[0]
    assert failed.failed
    assert failed.loss == pytest.approx(0.3)
    assert failed.least == pytest.approx(0.3 - 1.645 * math.sqrt(0.3 * 0.7 / 100), abs=0.012)
    assert not judge_run(before, now, [Rule("right", 0.25)]).verdicts[0].failed
    assert judge_run(now, before, [Rule("right", 0.0)]).passed  # an improvement is not a loss


def test_the_level_is_divided_by_the_number_of_rules() -> None:
    before, now = (
        run_of({"a": [1.0] * 100, "b": [1.0] * 100}),
        run_of({"a": [1.0] * 92 + [0.0] * 8, "b": [1.0] * 100}),
    )
    alone = judge_run(before, now, [Rule("a", 0.0)]).verdicts[0]
    among = judge_run(before, now, [Rule("a", 0.0), *[Rule("b", 0.0)] * 19]).verdicts[0]

    assert among.least < alone.least


@pytest.mark.parametrize("count", [5, 12, 150])
def test_noise_rarely_fails(count: int) -> None:
    """With 5 % for all rules together, about one in twenty pairs of equal runs may fail, and hardly more."""
    rng, failures, tries = np.random.default_rng(count), 0, 80
    for _ in range(tries):
        before, now = (run_of({name: rng.normal(0.5, 0.2, count).tolist() for name in "abcd"}) for _ in "12")
        failures += not judge_run(before, now, [Rule(name, 0.0) for name in "abcd"]).passed
    assert failures <= 10  # 4 are expected; 11 happen once in 400 times


def test_a_loss_as_large_as_is_named_visible_is_seen() -> None:
    rng, seen, tries = np.random.default_rng(4), 0, 60
    for _ in range(tries):
        before = rng.normal(0.6, 0.2, 100)
        noise = rng.normal(0, 0.1, 100)
        visible = verdict(before, before + noise).visible
        seen += verdict(before, before + noise - visible).failed
    assert 0.65 * tries <= seen <= 0.95 * tries  # POWER is 0.8


def verdict(before: np.ndarray, now: np.ndarray) -> Verdict:
    first, second = (run_of({"right": values.tolist()}) for values in (before, now))
    return judge_run(first, second, [Rule("right", 0.02)]).verdicts[0]


def test_a_small_set_says_what_it_cannot_see() -> None:
    before, now = run_of({"right": scattered(0.7, 40)}), run_of({"right": scattered(0.7, 40, 1)})
    gate = judge_run(before, now, [Rule("right", 0.02)])

    assert gate.verdicts[0].blind
    assert gate.verdicts[0].resolution > 0.1
    assert "Add questions" in gate_markdown(gate)


def test_times_are_compared_by_their_ratio() -> None:
    before = run_of({"right": [1.0] * 50})
    slow = run_of({"right": [1.0] * 50}, ms=150.0)

    assert not judge_run(before, slow, [Rule("ms total", 0.2, True)]).passed
    assert judge_run(before, slow, [Rule("ms total", 0.6, True)]).passed


def test_values_that_vanish_fail() -> None:
    before = run_of({"faithfulness": [1.0] * 50})
    for kept in (40, 2, 0):
        now = run_of({"faithfulness": [1.0] * kept + [None] * (50 - kept)})
        gate = judge_run(before, now, [Rule("faithfulness", 0.5)])
        assert not gate.passed
        said = "are missing now" if kept == 40 else f"only {kept} questions still have"
        assert said in gate_junit(gate)
        assert "NaN" not in to_json(gate_json(gate))


def test_a_refusal_has_not_lost_what_only_answers_have() -> None:
    before = run_of({"faithfulness": [1.0] * 50})
    refused = tuple(replace(outcome, values={}) for outcome in before.outcomes[:20])
    now = replace(before, outcomes=(*refused, *before.outcomes[20:]))

    assert judge_run(before, now, [Rule("faithfulness", 0.05)]).passed
    nothing = replace(before, outcomes=tuple(replace(outcome, values={}) for outcome in before.outcomes))
    assert not judge_run(before, nothing, [Rule("faithfulness", 0.05)]).passed


def test_a_failing_check_fails_without_any_loss() -> None:
    run = run_of({"right": [1.0] * 10})
    broken = replace(run, checks=(Check("every hit is the stored text", False, "not q1"),))

    assert not judge_run(run, broken, [Rule("right", 0.1)]).passed


def test_another_set_is_refused() -> None:
    run = run_of({"right": [1.0] * 10})
    other = replace(run, outcomes=(replace(run.outcomes[0], fingerprint="changed"),))

    with pytest.raises(InvalidInput, match="1 of 1 questions are not in it in their present form"):
        judge_run(run, other, [Rule("right", 0.1)])
    with pytest.raises(InvalidInput, match="4 of its questions are no longer asked, such as q6"):
        judge_run(run, replace(run, outcomes=run.outcomes[:6]), [Rule("right", 0.1)])
    with pytest.raises(InvalidInput, match="share no question"):
        comparison_markdown(run, other)


def test_a_rule_that_cannot_be_judged_is_refused_or_skipped() -> None:
    run, few = run_of({"right": [1.0] * 10}), run_of({"right": [1.0] * 4})
    other = replace(run_of({"faithfulness": [1.0] * 10}), judge="a server")
    slower = replace(run, machine={"cores": 1})
    for before, now, rule, why in (
        (run, run, Rule("wrong", 0.1), "the baseline has no such measure"),
        (few, few, Rule("right", 0.1), "4 questions have it"),
        (
            replace(other, judge="pack"),
            other,
            Rule("faithfulness", 0.1),
            "judged by pack, and this run by a server",
        ),
        (run, slower, Rule("ms total", 0.2, True), "another machine"),
    ):
        with pytest.raises(InvalidInput, match=why):
            judge_run(before, now, [rule])
        with pytest.raises(InvalidInput, match="None of the rules can be judged"):
            judge_run(before, now, [rule], lenient=True)
    usual = judge_run(run, run, [Rule("right", 0.1), Rule("wrong", 0.1)], lenient=True)
    assert "not judged: wrong drops 0.1: the baseline has no such measure" in gate_markdown(usual)
    assert usual.passed
    with pytest.raises(InvalidInput, match="has no 'wrong'; it has right, ms total"):
        check_rules(run, [Rule("wrong", 0.1)])


def test_a_sample_is_judged_against_the_whole_baseline() -> None:
    run = run_of({"right": [1.0] * 30})
    some = replace(run, outcomes=run.outcomes[5:15], sampled=True)
    gate = judge_run(run, some, [Rule("right", 0.0)])

    assert gate.verdicts[0].questions == 10
    assert "10 of the baseline's 30 questions asked" in gate_markdown(gate)


def test_the_reports_say_the_same(tmp_path: Path) -> None:
    before = run_of({"right": [1.0] * 60, "F1": [0.5] * 60})
    now = run_of(
        {"right": [1.0] * 20 + [0.0] * 40, "F1": [0.5] * 60}, checks=(Check("a check", True, "fine"),)
    )
    gate = judge_run(before, now, parse_rules("right drops 0.1, F1 drops 0.1"))

    suite = ElementTree.fromstring(gate_junit(gate))
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "from 1.000 to 0.333" in str(failure.get("message"))
    assert gate_json(gate)["passed"] is False
    assert gate_json(gate)["rules"][0]["rule"] == "right drops 0.1"
    assert "| FAIL | right drops 0.1 | 1.000 | 0.333 |" in gate_markdown(gate)
    assert "| right | 1.000 | 0.333 | -0.667 | 0.000 | 60 |" in comparison_markdown(before, now)


def test_what_xml_and_markdown_cannot_hold_is_replaced() -> None:
    run = run_of({"right": [1.0] * 9})
    run = replace(run, checks=(Check("odd", False, "bad \x01 byte | and\nline"),))
    gate = judge_run(run, run, [Rule("right", 0.1)])

    assert ElementTree.fromstring(gate_junit(gate)).get("failures") == "1"
    assert "bad \x01 byte / and line" in gate_markdown(gate)
    assert ElementTree.fromstring(error_junit("no \x00 way")).get("errors") == "1"


def test_what_only_a_whole_run_has_by_hand() -> None:
    run = run_of({"right": [1.0, 0.0, 1.0, 1.0]})
    first, second, third, fourth = run.outcomes
    outcomes = (
        replace(first, confidence=0.95),
        replace(second, confidence=0.55),
        replace(third, answered=False),
        replace(fourth, answered=False, answerable=False, values={"refused": 1.0}),
        replace(fourth, id="u", answerable=False, values={"refused": 0.0}, confidence=0.15),
    )
    found = overall(replace(run, outcomes=outcomes))

    assert found["refusal precision"] == found["refusal recall"] == 1 / 2
    assert found["calibration error"] == pytest.approx((0.05 + 0.55 + 0.15) / 3)


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    run = run_of({"right": [1.0, 0.0], "nan": [None, 1.0]}, checks=(Check("a", True, "b"),))
    save_run(run, tmp_path / "deep" / "run.json")

    assert read_run(tmp_path / "deep" / "run.json") == run


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "not a run of"),
        ("[]", "not a run of"),
        ('{"format": 99}', "has format 99"),
        (f'{{"format": {RUN_FORMAT}}}', "is damaged"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=complaint):
        read_run(path)


def test_an_interval_holds_the_mean() -> None:
    low, high = interval([0.0, 1.0] * 50)

    assert low == pytest.approx(0.4, abs=0.03)
    assert high == pytest.approx(0.6, abs=0.03)
