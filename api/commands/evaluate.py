"""The commands about quality: question sets, runs over them, and the gate before a release."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.terminal import CorpusOption, progress, say
from api.service import Service, opened
from rag.errors import InvalidInput

if TYPE_CHECKING:
    from eval.faithfulness import Scorer
    from eval.questions import EvalQuestion, LabelProblem
    from eval.run import Run
    from rag.models.judge import Judge

API_KEY = "OPENAI_API_KEY"
WRITTEN = ("run.json", "junit.xml", "gate.json", "gate.md", "report.html")
eval_app = typer.Typer(
    no_args_is_help=True, help="Is it good, and is it better than before? Question sets, runs, and the gate."
)

QuestionsOption = Annotated[Path, typer.Option("--questions", "-q", help="Question set, JSON Lines.")]
RagasOption = Annotated[
    bool, typer.Option("--ragas/--no-ragas", help="Score faithfulness and context with RAGAS.")
]
JudgeUrlOption = Annotated[
    str | None,
    typer.Option(
        "--judge-url",
        help="OpenAI-compatible server that RAGAS asks instead of the judge; its key is OPENAI_API_KEY.",
    ),
]
JudgeModelOption = Annotated[str, typer.Option("--judge-model", help="Model of that server.")]
SampleOption = Annotated[
    int | None, typer.Option("--sample", min=1, help="Ask only so many questions, drawn.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of what is drawn.")]


@eval_app.command("check")
def check_set(corpus: CorpusOption, questions: QuestionsOption) -> None:
    """Check a question set against a corpus: dead spans, duplicates, contradictions, leaks.

    Exits 1 if the set cannot be measured with.
    """
    from eval.questions import find_leaks, find_problems, read_lines

    asked = read_lines(questions)
    with opened() as service:
        problems = find_problems(list(asked.values()), service.catalog, corpus)
        problems += find_leaks(list(asked.values()), service.catalog, corpus)
    lines = {question.id: number for number, question in asked.items()}
    for one in sorted(problems, key=lambda problem: lines[problem.question]):
        say(f"{'WRONG' if one.serious else 'note '} line {lines[one.question]}, {one.question}: {one.what}")
    serious = sum(problem.serious for problem in problems)
    say(f"{questions}: {len(asked)} questions, {serious} wrong, {len(problems) - serious} notes")
    if serious:
        raise typer.Exit(1)


@eval_app.command()
def run(
    corpus: CorpusOption,
    questions: QuestionsOption,
    out_file: Annotated[Path, typer.Option("--out", help="Where the run is written, as JSON.")],
    ragas: RagasOption = True,
    judge_url: JudgeUrlOption = None,
    judge_model: JudgeModelOption = "",
    sample: SampleOption = None,
    seed: SeedOption = 0,
) -> None:
    """Ask every question, measure each stage and each answer, and keep the run."""
    from eval.report.render import run_markdown
    from eval.run import save_run

    made = RunSource(corpus, questions, Scoring(ragas, judge_url, judge_model), None, sample, seed).run()
    save_run(made, out_file)
    say(run_markdown(made) + f"\n-> {out_file}")


@eval_app.command()
def gate(
    baseline: Annotated[Path, typer.Option("--baseline", help="Run of the last release.")],
    run_file: Annotated[Path | None, typer.Option("--run", help="Run to judge, made before.")] = None,
    corpus: Annotated[str | None, typer.Option("--corpus", "-c", help="Or make it now: corpus,")] = None,
    questions: Annotated[Path | None, typer.Option("--questions", "-q", help="and question set.")] = None,
    fail_on: Annotated[
        str | None,
        typer.Option("--fail-on", help="Such as 'context R@10 drops 0.02, ms total rises 20%'."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder for run, report.html, gate.md, gate.json, junit.xml.")
    ] = None,
    ragas: RagasOption = True,
    judge_url: JudgeUrlOption = None,
    judge_model: JudgeModelOption = "",
) -> None:
    """Compare with the last release; say what became worse, and by how much at least.

    Exits 0 when nothing did, 1 when something did, 2 when it could not be told. Without --fail-on the usual rules
    hold, as far as the question set has what they are about.
    """
    made = RunSource(corpus, questions, Scoring(ragas, judge_url, judge_model), run_file)
    if folder is not None:
        for name in WRITTEN:  # an old verdict must not pass for this one
            (folder / name).unlink(missing_ok=True)
    try:
        passed = _gate(baseline, fail_on, folder, made)
    except Exception as error:
        if folder is not None:
            from eval.report.render import error_junit

            _write(folder / "junit.xml", error_junit(str(error)))
        raise
    if not passed:
        raise typer.Exit(1)


@eval_app.command("ablate")
def ablate_path(
    corpus: CorpusOption,
    questions: QuestionsOption,
    out_file: Annotated[Path | None, typer.Option("--out", help="Also write all figures, as JSON.")] = None,
    sample: SampleOption = None,
    seed: SeedOption = 0,
) -> None:
    """Ask every question with each stage off or swapped; say what each costs and buys."""
    from eval.ablate import ablate, ablation_json, by_order, by_position, variants
    from eval.extra import require_extra
    from eval.questions import drawn, find_problems, read_questions
    from eval.report.markdown import ablation_markdown
    from eval.report.render import nested_markdown, to_json
    from eval.trial import Subject

    require_extra()
    asked = drawn(read_questions(questions), sample, seed)
    with opened() as service:
        _refuse_broken(questions, find_problems(asked, service.catalog, corpus))
        subject = Subject(service.pipeline, service.catalog, service.settings, corpus)
        with progress("Ablating", len(variants())) as advance:
            rows = ablation_json(ablate(subject, asked, advance))
        orders, positions = by_order(subject, asked), by_position(subject, asked)
    say(ablation_markdown(rows))
    if orders:
        say(nested_markdown("order of the evidence", orders))
        say(nested_markdown("position of the gold evidence", positions))
    else:
        say("Order and position: no question has five hits of which one holds its evidence.")
    if out_file is not None:
        _write(out_file, to_json({"variants": rows, "orders": orders, "positions": positions}))


@eval_app.command()
def report(
    run_file: Annotated[Path, typer.Argument(metavar="RUN", help="What `ibid eval run` wrote.")],
    html: Annotated[Path, typer.Option("--html", help="Where the page is written.")],
    baseline: Annotated[Path | None, typer.Option("--baseline", help="A run to draw behind it.")] = None,
    ablation: Annotated[
        Path | None, typer.Option("--ablation", help="What `ibid eval ablate --out` wrote.")
    ] = None,
) -> None:
    """Make one self-contained HTML page of a run: plots, checks, and the worst questions."""
    from eval.extra import require_extra

    require_extra()
    from eval.ablate import read_ablation
    from eval.report.page import run_page
    from eval.run import read_run

    made, before = read_run(run_file), read_run(baseline) if baseline else None
    _write(html, run_page(made, before, ablation=read_ablation(ablation) if ablation else None))
    say(f"-> {html}")


@eval_app.command()
def generate(
    corpus: CorpusOption,
    out_file: Annotated[Path, typer.Option("--out", help="Where the drafts are written; never overwritten.")],
    count: Annotated[int, typer.Option("--count", min=1, max=10_000, help="Most questions.")] = 50,
    seed: SeedOption = 0,
) -> None:
    """Draft questions from a corpus, by rules, for a person to review and reword."""
    from eval.drafts import draft_questions
    from eval.questions import write_questions

    if out_file.exists():
        raise InvalidInput(
            f"{out_file} is there already, perhaps with reviewed questions; name another file."
        )
    with opened() as service:
        drafts = draft_questions(service.catalog, corpus, count, seed=seed)
    _write(out_file, write_questions(drafts))
    say(f"{len(drafts)} drafts -> {out_file}; review them, and add questions that nothing answers.")


@eval_app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="A run.")],
    now: Annotated[Path, typer.Argument(help="A run of the same questions.")],
) -> None:
    """Compare every measure of two runs; p is how often chance alone would differ as much."""
    from eval.report.render import comparison_markdown
    from eval.run import read_run

    say(comparison_markdown(read_run(before), read_run(now)))


@dataclass(frozen=True, slots=True)
class Scoring:
    """Who answers RAGAS: nobody, the judge, or a server."""

    ragas: bool = True
    url: str | None = None
    model: str = ""

    def __post_init__(self) -> None:
        if self.url is not None and not self.model:
            raise InvalidInput("--judge-url needs --judge-model, the name of the server's model.")
        if self.url is not None and not self.ragas:
            raise InvalidInput("--judge-url is for RAGAS; drop it, or --no-ragas.")

    def scorer(self, judge: Judge, service: Service) -> Scorer | None:
        """Return RAGAS's measures over whoever answers."""
        if not self.ragas:
            return None
        from eval.faithfulness import JudgeLLM, Scorer, ServerLLM

        if self.url is None:
            return Scorer(JudgeLLM(judge), service.embedder, service.settings.answer.judge)
        llm = ServerLLM(self.url, self.model, os.environ.get(API_KEY, ""))
        return Scorer(llm, service.embedder, f"{self.model} at {self.url}")


@dataclass(frozen=True, slots=True)
class RunSource:
    """Where a run comes from: a file, or questions that are asked now, of which some may be drawn."""

    corpus: str | None
    questions: Path | None
    scoring: Scoring = Scoring()
    run_file: Path | None = None
    sample: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        here = (self.corpus is not None, self.questions is not None)
        if self.run_file is not None and any(here):
            raise InvalidInput("Give --run, or --corpus and --questions, not both.")
        if self.run_file is None and not all(here):
            raise InvalidInput("Give --corpus and --questions, or --run with a run made before.")

    def run(self, suitable: Callable[[Sequence[EvalQuestion]], None] = lambda questions: None) -> Run:
        """Read the run, or ask the questions.

        Args:
            suitable: raises where the questions are not those that are wanted, before any is asked.
        """
        from eval.extra import require_extra
        from eval.questions import drawn, find_problems, read_questions
        from eval.run import evaluate, read_run, set_name
        from eval.trial import Subject
        from rag.models.judge import load_judge
        from rag.models.pack import PACKAGED

        if self.run_file is not None:
            return read_run(self.run_file)
        require_extra()
        assert self.corpus is not None
        assert self.questions is not None
        whole = read_questions(self.questions)
        questions = drawn(whole, self.sample, self.seed)
        suitable(questions)
        with opened() as service:
            _refuse_broken(self.questions, find_problems(questions, service.catalog, self.corpus))
            settings = service.settings
            name = PACKAGED if settings.answer.judge == "none" else settings.answer.judge
            judge = load_judge(name, threads=settings.service.encoder_threads)
            with progress("Asking", len(questions)) as advance:
                return evaluate(
                    Subject(service.pipeline, service.catalog, settings, self.corpus),
                    set_name(self.questions),
                    questions,
                    judge=judge,
                    scorer=self.scoring.scorer(judge, service),
                    sampled=len(questions) < len(whole),
                    advance=advance,
                )


def _gate(baseline: Path, fail_on: str | None, folder: Path | None, made: RunSource) -> bool:
    from eval.extra import require_extra

    require_extra()
    from eval.gate import DEFAULT_RULES, check_comparable, check_rules, judge_run, parse_rules
    from eval.questions import fingerprint
    from eval.report.page import run_page
    from eval.report.render import gate_json, gate_junit, gate_markdown, to_json
    from eval.run import read_run, save_run

    before = read_run(baseline)
    rules = parse_rules(DEFAULT_RULES if fail_on is None else fail_on)
    if fail_on is not None:
        check_rules(before, rules)

    def suitable(questions: Sequence[EvalQuestion]) -> None:
        check_comparable(before, {fingerprint([question]) for question in questions}, sampled=False)

    now = made.run(suitable)
    if folder is not None:
        save_run(now, folder / "run.json")
    judged = judge_run(before, now, rules, lenient=fail_on is None)
    say(gate_markdown(judged))
    if folder is not None:
        _write(folder / "junit.xml", gate_junit(judged))
        _write(folder / "gate.json", to_json(gate_json(judged)))
        _write(folder / "gate.md", gate_markdown(judged))
        _write(folder / "report.html", run_page(now, before, judged))
    return judged.passed


def _refuse_broken(path: Path, problems: Sequence[LabelProblem]) -> None:
    serious = [problem for problem in problems if problem.serious]
    if serious:
        first = serious[0]
        raise InvalidInput(
            f"{path}: {len(serious)} questions cannot be measured with, such as {first.question}: "
            f"{first.what} `ibid eval check` lists them."
        )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
