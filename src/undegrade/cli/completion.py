"""``undegrade completion``: scripts that let a shell complete commands, options, tasks and file names."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from undegrade.cli.arguments import a_path, a_place
from undegrade.errors import UndegradeError

HELP = "print a script with which bash, zsh, tcsh, fish or PowerShell complete this command"


EXAMPLES = """examples:
  undegrade completion bash      belongs in ~/.local/share/bash-completion/completions/undegrade
  undegrade completion zsh       belongs in a file _undegrade in a folder of $fpath
  undegrade completion fish      belongs in ~/.config/fish/completions/undegrade.fish
"""

FOLDERS = ("DIR", "CLEAN", "NOISY")
"""What the help calls an argument that is a folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", help="bash, zsh, tcsh, fish or powershell, as far as the installed shtab knows it")


def run(args: argparse.Namespace) -> int:
    """Print the script; return 0.

    Raises:
        UndegradeError: shtab is not installed, or does not know the shell.
    """
    try:
        import shtab
    except ModuleNotFoundError as error:
        raise UndegradeError("completion needs shtab; run: pip install 'undegrade[completion]'.") from error
    from undegrade.cli import build_parser

    shells = shtab.SUPPORTED_SHELLS
    if args.shell not in shells:
        raise UndegradeError(f"there is no completion for {args.shell!r}; choose from {', '.join(shells)}.")
    parser = build_parser()
    prepare(parser, {"shell": list(shells)}, shtab.FILE, shtab.DIRECTORY)
    print(shtab.complete(parser, shell=args.shell))
    return 0


def prepare(parser: argparse.ArgumentParser, known: Mapping[str, list[str]], file: Any, folder: Any) -> None:
    """Note in a parser what may stand for each argument. It can then complete, but no longer parse.

    Args:
        parser: of the whole command line.
        known: what may stand for further arguments, by their names.
        file, folder: shtab's values for arguments that are files and folders.
    """
    from undegrade.tasks import TASKS
    from undegrade.weights.card import shipped_cards

    variants = sorted({variant for task in TASKS.values() for variant in task.variants})
    models = [card.name for card in shipped_cards()]
    known = {"task": list(TASKS), "tasks": [*TASKS, *models], "variant": variants, **known}
    for action in _actions(parser):
        if action.dest in known and action.choices is None:
            action.choices = known[action.dest]
        elif action.type in (a_path, a_place):
            names = action.metavar if isinstance(action.metavar, tuple) else (action.metavar,)
            action.complete = folder if set(names) <= set(FOLDERS) else file  # type: ignore[attr-defined]


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                yield from _actions(sub)
        else:
            yield action
