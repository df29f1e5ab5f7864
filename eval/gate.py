"""The gate: has a measure dropped from the baseline by more than is allowed, over the same questions?

For each rule the differences of the questions are resampled (paired bootstrap). The rule fails if the interval of their
mean, one-sided and at a level divided by the number of rules (Bonferroni), lies wholly beyond the allowed drop: then
noise does not explain it. A bootstrap over few questions is overconfident, so Student's t widens it. The gate reports
the limits of a small set: the smallest drop that it would have shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from eval.checks import Check
from eval.run import QuestionOutcome, Run
from rag.errors import InvalidInput

# Chance, over all rules together, of failing a run that is no worse than allowed.
ALPHA = 0.05
# Chance of failing a run that lost as much as is reported as visible.
POWER = 0.8
ROUNDS = 20_000
TEST_SEED = 7
# Least number of questions with a measure for a rule about it.
LEAST_QUESTIONS = 5
# Share of the baseline's values that may be missing now.
GONE_AT_MOST = 0.1
# "ms total", "ms rerank": times of stages, judged by their ratio.
TIME = "ms"
OF_RAGAS = ("faithfulness", "answer relevancy", "context precision", "context recall")
DEFAULT_RULES = (
    "dense R@10 drops 0.05, lexical R@10 drops 0.05, fused nDCG@10 drops 0.05, reranked RR drops 0.05, "
    "context R@10 drops 0.05, context span recall drops 0.05, answered drops 0.1, right drops 0.1, "
    "right in the lead drops 0.1, gold cited drops 0.1, answer in prompt drops 0.05, refused drops 0.1, "
    "faithfulness drops 0.05"
)
_RULE = re.compile(r"\s*(?P<name>\S.*?)\s+(?P<way>drops|rises)\s+(?P<by>\d*\.?\d+)\s*(?P<percent>%?)\s*")


@dataclass(frozen=True, slots=True)
class Rule:
    """The loss allowed to a measure: `drops` is an absolute difference; `rises`, for times, is a share."""

    name: str
    allowed: float
    rises: bool = False

    def __str__(self) -> str:
        return f"{self.name} {f'rises {self.allowed:.0%}' if self.rises else f'drops {self.allowed:g}'}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a rule. A loss is positive if the measure became worse; for times it is a share."""

    rule: Rule
    failed: bool
    before: float
    now: float
    loss: float
    least: float  # lower bound of the loss, at the corrected level
    resolution: float  # the smallest loss that this set distinguishes from none, with a chance of POWER
    questions: int
    gone: int  # number of the baseline's values that are missing now

    @property
    def visible(self) -> float:
        """The smallest loss that would have failed, with a chance of POWER."""
        return self.rule.allowed + self.resolution

    @property
    def blind(self) -> bool:
        """Return whether the set is too small to enforce the rule."""
        return self.resolution > self.rule.allowed


@dataclass(frozen=True, slots=True)
class Gate:
    """The verdicts on all rules, and the checks that hold without a baseline."""

    verdicts: tuple[Verdict, ...]
    checks: tuple[Check, ...]
    skipped: tuple[str, ...]  # rules that could not be judged, each with the reason
    worst: tuple[tuple[str, str, float], ...]  # question id, measure, loss
    asked: int  # questions
    of: int  # questions in the baseline

    @property
    def passed(self) -> bool:
        """Return whether every rule and every check holds."""
        return not any(v.failed for v in self.verdicts) and all(check.ok for check in self.checks)


def parse_rules(text: str) -> list[Rule]:
    """Read "MEASURE drops AMOUNT" and "ms STAGE rises SHARE%", separated by commas.

    Raises:
        InvalidInput: if a part is neither, or is given twice.
    """
    rules: list[Rule] = []
    for part in filter(str.strip, text.split(",")):
        rules.append(_rule(part.strip()))
        if rules[-1].name in [rule.name for rule in rules[:-1]]:
            raise InvalidInput(f"--fail-on has two rules about {rules[-1].name!r}; drop one.")
    if not rules:
        raise InvalidInput("--fail-on names no rule; expected one such as 'context R@10 drops 0.02'.")
    return rules


def check_comparable(baseline: Run, fingerprints: Collection[str], *, sampled: bool) -> None:
    """Check that these questions can be compared with a baseline.

    Args:
        fingerprints: of the current questions.
        sampled: whether they are a deliberate sample.

    Raises:
        InvalidInput: if the baseline lacks one of them, or has others and this is not a sample.
    """
    before = {outcome.fingerprint: outcome.id for outcome in baseline.outcomes}
    strangers = set(fingerprints) - before.keys()
    missing = [identity for fingerprint, identity in before.items() if fingerprint not in set(fingerprints)]
    what = f"The baseline ({baseline.name}, {baseline.date}) is of another set or version: "
    if strangers:
        raise InvalidInput(
            f"{what}{len(strangers)} of {len(fingerprints)} questions are not in it in their present form. "
            "Make a new baseline with `ibid eval run`."
        )
    if missing and not sampled:
        raise InvalidInput(
            f"{what}{len(missing)} of its questions are no longer asked, such as {missing[0]}. "
            "Make a new baseline with `ibid eval run`."
        )


def check_rules(baseline: Run, rules: Sequence[Rule]) -> None:
    """Check that a baseline has the measures of the rules.

    Raises:
        InvalidInput: if one is missing; names the measures that it has.
    """
    for rule in rules:
        if not any(_value(rule, outcome) is not None for outcome in baseline.outcomes):
            known = [name for outcome in baseline.outcomes for name in outcome.values]
            known += [f"{TIME} {stage}" for outcome in baseline.outcomes for stage in outcome.timings_ms]
            raise InvalidInput(
                f"--fail-on: the baseline has no {rule.name!r}; it has {', '.join(dict.fromkeys(known))}."
            )


def judge_run(baseline: Run, run: Run, rules: Sequence[Rule], *, lenient: bool = False) -> Gate:
    """Compare a run with its baseline under some rules.

    Args:
        lenient: whether to skip a rule that cannot be judged, since the caller did not choose it.

    Raises:
        InvalidInput: if the two cannot be compared, or a rule cannot be judged.
    """
    check_comparable(baseline, {outcome.fingerprint for outcome in run.outcomes}, sampled=run.sampled)
    pairs = paired(baseline, run)
    reasons = {rule: _why_not(rule, baseline, run, pairs) for rule in rules}
    unjudged = [f"{rule}: {why}" for rule, why in reasons.items() if why]
    if unjudged and not lenient:
        raise InvalidInput(f"--fail-on: {unjudged[0]}")
    judged = [rule for rule in rules if not reasons[rule]]
    if not judged:
        raise InvalidInput(f"None of the rules can be judged, such as {unjudged[0]}.")
    return Gate(
        tuple(_verdict(rule, pairs, len(judged)) for rule in judged),
        run.checks,
        tuple(unjudged),
        _worst(pairs, [rule for rule in judged if not rule.rises]),
        len(pairs),
        len(baseline.outcomes),
    )


def paired(baseline: Run, run: Run) -> list[tuple[QuestionOutcome, QuestionOutcome]]:
    """Return the outcomes, before and now, of each question of the run that is also in the baseline."""
    before = {outcome.fingerprint: outcome for outcome in baseline.outcomes}
    return [(before[now.fingerprint], now) for now in run.outcomes if now.fingerprint in before]


def _rule(part: str) -> Rule:
    found = _RULE.fullmatch(part)
    if not found:
        raise InvalidInput(
            f"--fail-on: {part!r} is not a rule; "
            "expected one such as 'context R@10 drops 0.02' or 'ms total rises 20%'."
        )
    rises, by = found["way"] == "rises", float(found["by"])
    if rises != found["name"].startswith(f"{TIME} "):
        raise InvalidInput(f"--fail-on: {part!r}: times, such as 'ms total', rise, and all else drops.")
    if rises and not found["percent"]:
        raise InvalidInput(f"--fail-on: {part!r}: expected a share, such as {found['by']}%.")
    by = by / 100 if found["percent"] else by
    if not rises and by >= 1:
        raise InvalidInput(f"--fail-on: {part!r} allows everything; measures lie between 0 and 1.")
    return Rule(found["name"], by, rises)


def _why_not(
    rule: Rule, baseline: Run, run: Run, pairs: Sequence[tuple[QuestionOutcome, QuestionOutcome]]
) -> str:
    """Return why a rule cannot be judged, or "" if it can."""
    had = sum(_value(rule, before) is not None for before, _ in pairs)
    if not had:
        return "the baseline has no such measure for these questions"
    if had < LEAST_QUESTIONS:
        return f"{had} questions have it, and at least {LEAST_QUESTIONS} are needed; label more of them"
    if rule.name in OF_RAGAS and run.judge != baseline.judge:
        was, is_ = (one.judge or "nobody" for one in (baseline, run))
        return f"the baseline was judged by {was}, and this run by {is_}"
    if rule.rises and run.machine != baseline.machine:
        return "times from another machine are not comparable"
    return ""


def _verdict(rule: Rule, pairs: Sequence[tuple[QuestionOutcome, QuestionOutcome]], rules: int) -> Verdict:
    both = [(_value(rule, before), _value(rule, now)) for before, now in pairs]
    had = [old for old, _ in both if old is not None]
    values = np.array([one for one in both if None not in one], np.float64).reshape(-1, 2)
    gone = sum(_value(rule, old) is not None and _is_gone(rule, now) for old, now in pairs)
    if len(values) < LEAST_QUESTIONS:  # nearly all values are missing, or everything is refused
        return Verdict(
            rule, True, float(np.mean(had)), math.nan, math.nan, math.nan, math.nan, len(values), gone
        )
    before, now = values.T
    level = ALPHA / rules
    losses = _resampled(rule, before, now)
    error, scale = float(losses.std()), 1 / max(before.mean(), 1e-9) if rule.rises else 1.0
    loss = float((now - before).mean() * scale) if rule.rises else float((before - now).mean())
    least = min(
        float(np.quantile(losses, level)), loss - float(student.ppf(1 - level, len(values) - 1)) * error
    )
    return Verdict(
        rule,
        failed=least > rule.allowed or gone > GONE_AT_MOST * len(had),
        before=float(before.mean()),
        now=float(now.mean()),
        loss=loss,
        least=least,
        resolution=_resolution(error, len(values), level),
        questions=len(values),
        gone=gone,
    )


def _is_gone(rule: Rule, outcome: QuestionOutcome) -> bool:
    """Return whether a measure gave no number; a refusal has no value, but has not lost it."""
    return rule.name in outcome.values and outcome.values[rule.name] is None


def _value(rule: Rule, outcome: QuestionOutcome) -> float | None:
    if rule.rises:
        return outcome.timings_ms.get(rule.name.removeprefix(f"{TIME} "))
    return outcome.values.get(rule.name)


def _resampled(rule: Rule, before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return the mean loss in each of ROUNDS resamples of the questions: (ROUNDS,)."""
    rng = np.random.default_rng(TEST_SEED)
    losses = []
    for _ in range(ROUNDS // 100):  # in parts: ROUNDS times the questions would take gigabytes
        drawn = rng.integers(0, len(before), (100, len(before)))
        earlier, later = before[drawn].mean(axis=1), now[drawn].mean(axis=1)
        losses.append(later / np.maximum(earlier, 1e-9) - 1 if rule.rises else earlier - later)
    return np.concatenate(losses)


def _resolution(error: float, questions: int, level: float) -> float:
    """Return the loss that is distinguished from none with a chance of POWER.

    If both runs agree on every question, there is no spread to judge by. Then enough questions must turn from right to
    wrong that a resample is unlikely to miss them all.
    """
    spread = error * (float(student.ppf(1 - level, questions - 1)) + float(norm.ppf(POWER)))
    return max(spread, min(1.0, math.log(1 / level) / questions))


def _worst(
    pairs: Sequence[tuple[QuestionOutcome, QuestionOutcome]], rules: Sequence[Rule], most: int = 10
) -> tuple[tuple[str, str, float], ...]:
    losses = []
    for before, now in pairs:
        for rule in rules:
            old, new = _value(rule, before), _value(rule, now)
            if old is not None and new is not None and old > new:
                losses.append((now.id, rule.name, old - new))
    return tuple(sorted(losses, key=lambda loss: -loss[2])[:most])
