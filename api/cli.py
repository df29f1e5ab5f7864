"""The command line: `ibid COMMAND`. The module of a command is imported when the command is invoked.

Exit codes: 0 done, 1 it could not be done, 2 some of it failed (each part is named), 3 another sync is running.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from rag.errors import IbidError

# Nothing is fetched unless the user says otherwise.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
# Two things that every start would pay for and nothing uses: numpy's own threads, and plug-ins of pydantic.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

# Each command: where it is, and its line in `ibid --help`, which is the first of its own help.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "sync": ("api.commands.sync:sync", "Make a corpus follow a folder."),
    "chat": (
        "api.commands.chat:chat",
        "Ask one question after the other; a follow-up is understood from what was said before.",
    ),
    "backup": (
        "api.commands.moving:backup",
        "Write catalogue and originals to one archive, while the server runs, and check what was written.",
    ),
    "restore": (
        "api.commands.moving:restore",
        "Put a backup into the data folder, after every checksum was checked; the server must not run.",
    ),
    "export": (
        "api.commands.moving:export_",
        "Write the documents of a corpus as JSON Lines: name, version, sha256, metadata, pages and text.",
    ),
    "import": ("api.commands.moving:import_", "Add and update the documents of an export."),
    "ingest": ("api.commands.ingest:ingest", "Add and update documents."),
    "reingest": (
        "api.commands.ingest:reingest",
        "Read again, from their originals, documents that an older Ibid read. The next run continues a stopped one.",
    ),
    "search": ("api.commands.ask:search", "Find the evidence nearest to a question, best first."),
    "ask": (
        "api.commands.ask:ask",
        "Answer a question from the documents, with verified citations, or say that they do not answer it.",
    ),
    "documents": ("api.commands.documents:documents", "List the documents of a corpus."),
    "corpora": ("api.commands.documents:corpora", "List the corpora of the data folder."),
    "delete": ("api.commands.documents:delete", "Delete documents at once, all of those named or none."),
    "serve": ("api.commands.serve:serve", "Serve HTTP until interrupted."),
    "doctor": ("api.commands.doctor:doctor", "Check models, catalogue, indexes and disk; say what to do."),
    "models": ("api.commands.models:models_app", "The models that ship with Ibid."),
    "eval": (
        "api.commands.evaluate:eval_app",
        "Is it good, and is it better than before? Question sets, runs, and the gate.",
    ),
    "memory": ("api.commands.chat:memory_app", "What conversations are remembered."),
    "jobs": ("api.commands.jobs:jobs_app", "Uploads that a server ingests in the background."),
    "generations": (
        "api.commands.generations:generations_app",
        "Rebuild a corpus with another embedding model or chunker, beside the generation that serves it.",
    ),
}
GATES = (["eval", "gate"], ["generations", "swap"])
# An exit code of 1 says that something became worse.
GATE_COULD_NOT_RUN = 2
# New objects from one garbage collection to the next: Python's 700 means hundreds of them while modules are imported.
GARBAGE_AFTER = 50_000


class LazyGroup(TyperGroup):
    """The commands of COMMANDS: listed without being imported, imported when they are invoked."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands.update({name: TyperCommand(name, help=line) for name, (_, line) in COMMANDS.items()})

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """Import a command or a group of them; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        found = getattr(import_module(module), attribute)
        alone = typer.Typer(rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            alone.add_typer(found, name=cmd_name)
        else:
            alone.command(cmd_name)(found)
        command = get_group(alone).commands[cmd_name]
        assert isinstance(command, TyperCommand | TyperGroup)
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands, importing none."""
        TyperGroup(commands=dict(self.commands)).format_commands(ctx, formatter)


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Ask questions over your own documents; see the exact words each answer rests on.\n\n"
    "The data folder is IBID_HOME (default ./ibid-data). "
    "Exit codes: 0 done, 1 it could not be done, 2 some files or lines failed, 3 another sync is running.",
)


@app.callback()
def ibid() -> None:
    """Make `app` a group: Typer wants a callback where no command is registered."""


def main() -> None:
    """Run the command line; errors that Ibid expects become one line and exit code 1, of the gate 2."""
    gc.set_threshold(GARBAGE_AFTER)
    # Looking for cycles among the objects of a process that ends takes 90 ms.
    atexit.register(gc.freeze)
    failed = GATE_COULD_NOT_RUN if sys.argv[1:3] in GATES else 1
    try:
        code = app(standalone_mode=False)
    except (IbidError, typer.TyperException) as error:
        from api.commands.terminal import note

        note(f"ibid: {error.format_message() if isinstance(error, typer.TyperException) else error}")
        code = failed
    except (KeyboardInterrupt, typer.Abort, BrokenPipeError):
        code = failed
    except Exception:  # a bug: a gate that crashes has not found anything to be worse
        if failed == 1:
            raise
        from api.commands.terminal import notes

        notes.print_exception()
        code = failed
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
