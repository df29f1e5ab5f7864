"""The gate: has a measure dropped, from the baseline to now, by more than is allowed? Over the same questions.

For each rule the differences of the questions are resampled (paired bootstrap). It fails when the interval of their
mean, one-sided and at a level divided by the number of rules (Bonferroni), lies wholly beyond the allowed drop:
then noise does not explain it. What a set is too small to see is said: the smallest drop that it would have shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from eval.checks import Check
from eval.run import Outcome, Run
from rag.errors import InvalidInput

ALPHA = 0.05  # chance, over all rules together, to fail a run that is no worse than allowed
POWER = 0.8  # chance to see the drop that is named as the smallest visible one
ROUNDS = 20_000
SEED = 7
LEAST_SHARED = 5  # questions that baseline and run must have in common for a rule
TIME = "ms"  # "ms total", "ms rerank": times of stages, judged by their ratio
DEFAULT_RULES = (
    "context R@10 drops 0.03, context span recall drops 0.03, fused nDCG@10 drops 0.03, reranked nDCG@10 drops 0.03, "
    "answered drops 0.05, right drops 0.05, gold cited drops 0.05, answer in prompt drops 0.03, refused drops 0.1, "
    "faithfulness drops 0.03"
)
_RULE = re.compile(r"\s*(?P<name>\S.*?)\s+(?P<way>drops|rises)\s+(?P<by>\d*\.?\d+)\s*(?P<percent>%?)\s*")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a measure may lose: `drops` an absolute difference, or `rises` a share, for times."""

    name: str
    allowed: float
    rises: bool = False

    def __str__(self) -> str:
        return f"{self.name} {f'rises {self.allowed:.0%}' if self.rises else f'drops {self.allowed:g}'}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a rule. Losses are positive where it became worse, as shares for times."""

    rule: Rule
    failed: bool
    before: float
    now: float
    loss: float
    least: float  # lower bound of the loss, at the corrected level
    visible: float  # the smallest loss that this set would have shown
    questions: int
    missing: int  # of the baseline's values that have no counterpart now

    @property
    def blind(self) -> bool:
        """Tell whether the set is too small to guard what the rule asks for."""
        return self.visible > self.rule.allowed


@dataclass(frozen=True, slots=True)
class Gate:
    """The verdicts on all rules, and the checks that hold without a baseline."""

    verdicts: tuple[Verdict, ...]
    checks: tuple[Check, ...]
    worst: tuple[tuple[str, str, float], ...]  # question id, measure, loss

    @property
    def passed(self) -> bool:
        """Tell whether every rule and every check holds."""
        return not any(v.failed for v in self.verdicts) and all(check.ok for check in self.checks)


def parse_rules(text: str) -> list[Rule]:
    """Read "MEASURE drops AMOUNT" and "ms STAGE rises SHARE%", separated by commas.

    Raises:
        InvalidInput: if a part is neither.
    """
    rules = []
    for part in filter(str.strip, text.split(",")):
        found = _RULE.fullmatch(part)
        if not found:
            raise InvalidInput(
                f"--fail-on: {part.strip()!r} is no rule; expected such as 'context R@10 drops 0.02' "
                "or 'ms total rises 20%'."
            )
        rises, by = found["way"] == "rises", float(found["by"]) / (100 if found["percent"] else 1)
        if rises != found["name"].startswith(f"{TIME} "):
            raise InvalidInput(
                f"--fail-on: {part.strip()!r}: times, such as 'ms total', rise, and all else drops."
            )
        rules.append(Rule(found["name"], by, rises))
    if not rules:
        raise InvalidInput("--fail-on names no rule; expected such as 'context R@10 drops 0.02'.")
    return rules


def judge_run(baseline: Run, run: Run, rules: Sequence[Rule]) -> Gate:
    """Compare a run with its baseline under some rules.

    Raises:
        InvalidInput: if the run asks questions that the baseline does not, or a rule names a measure of neither.
    """
    pairs = paired(baseline, run)
    verdicts = [_verdict(rule, pairs, len(rules)) for rule in rules]
    return Gate(tuple(verdicts), run.checks, _worst(pairs, [rule for rule in rules if not rule.rises]))


def paired(baseline: Run, run: Run) -> list[tuple[Outcome, Outcome]]:
    """Return the outcomes of each question of the run, before and now.

    Raises:
        InvalidInput: if a question, as it stands now, was not asked in the baseline.
    """
    before = {outcome.fingerprint: outcome for outcome in baseline.outcomes}
    strangers = [outcome.id for outcome in run.outcomes if outcome.fingerprint not in before]
    if strangers:
        raise InvalidInput(
            f"The baseline ({baseline.name}, {baseline.date}) is of another set or version: {len(strangers)} of "
            f"{len(run.outcomes)} questions are not in it as they stand now, such as {strangers[0]}. "
            "Make a new baseline with `ibid eval run`."
        )
    if not run.outcomes:
        raise InvalidInput("The run holds no question.")
    return [(before[outcome.fingerprint], outcome) for outcome in run.outcomes]


def _verdict(rule: Rule, pairs: Sequence[tuple[Outcome, Outcome]], rules: int) -> Verdict:
    before, now, missing = _values(rule, pairs)
    if not len(before):
        known = sorted({name for _, outcome in pairs for name in outcome.values})
        raise InvalidInput(f"--fail-on: no question has {rule.name!r}; known are {', '.join(known)}.")
    if len(before) < LEAST_SHARED:
        raise InvalidInput(
            f"Only {len(before)} questions have {rule.name!r}; expected {LEAST_SHARED} at least. Label more of them."
        )
    level = ALPHA / rules
    losses = _losses(rule, before, now)
    least = float(np.quantile(losses, level))
    loss = (now.mean() / before.mean() - 1) if rule.rises else float(before.mean() - now.mean())
    lost_all = missing > len(before)  # a measure that mostly vanished cannot be said to hold
    return Verdict(
        rule,
        failed=bool(least > rule.allowed or lost_all),
        before=float(before.mean()),
        now=float(now.mean()),
        loss=float(loss),
        least=least,
        visible=_visible(losses, len(before), level, rule),
        questions=len(before),
        missing=missing,
    )


def _values(rule: Rule, pairs: Sequence[tuple[Outcome, Outcome]]) -> tuple[np.ndarray, np.ndarray, int]:
    """Return a measure's values before and now, and for how many questions it has gone."""
    found, missing = [], 0
    for earlier, later in pairs:
        before, now = (_value(rule, outcome) for outcome in (earlier, later))
        if before is not None and now is not None:
            found.append((before, now))
        missing += before is not None and now is None
    both = np.array(found, np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1], missing


def _value(rule: Rule, outcome: Outcome) -> float | None:
    if rule.rises:
        return outcome.timings_ms.get(rule.name.removeprefix(f"{TIME} "))
    return outcome.values.get(rule.name)


def _losses(rule: Rule, before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return the mean loss in each of ROUNDS resamples of the questions: (ROUNDS,)."""
    rng = np.random.default_rng(SEED)
    losses = []
    for _ in range(ROUNDS // 1000):  # in parts: ROUNDS times the questions would be gigabytes
        drawn = rng.integers(0, len(before), (1000, len(before)))
        earlier, later = before[drawn].mean(axis=1), now[drawn].mean(axis=1)
        losses.append(later / np.maximum(earlier, 1e-9) - 1 if rule.rises else earlier - later)
    return np.concatenate(losses)


def _visible(losses: np.ndarray, questions: int, level: float, rule: Rule) -> float:
    """Return the loss that would have been told from none with a chance of POWER.

    Where both runs agree on every question there is no spread to judge by; then as many questions must turn
    from right to wrong as make it improbable that a resample holds none of them.
    """
    spread = float(losses.std()) * float(norm.ppf(1 - level) + norm.ppf(POWER))
    return spread if rule.rises else max(spread, math.log(1 / level) / questions)


def _worst(
    pairs: Sequence[tuple[Outcome, Outcome]], rules: Sequence[Rule], most: int = 10
) -> tuple[tuple[str, str, float], ...]:
    losses = [
        (now.id, rule.name, before.values[rule.name] - now.values[rule.name])  # type: ignore[operator]
        for before, now in pairs
        for rule in rules
        if before.values.get(rule.name) is not None and now.values.get(rule.name) is not None
    ]
    return tuple(sorted((loss for loss in losses if loss[2] > 0), key=lambda loss: -loss[2])[:most])
