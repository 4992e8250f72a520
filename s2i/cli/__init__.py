"""The command line: one module a noun, the error boundary, the only sys.exit."""

from __future__ import annotations

import gc
import importlib
import itertools
import os
import sys

import click

import s2i
from s2i.cli.group import Group
from s2i.errors import E_CANCELLED, E_INTERNAL, S2IError, disk_full

# Verb or noun -> the module under s2i/cli/ that holds a click command of the same name. Modules are imported
# when their command is used or its help is asked for, so that `s2i plan` stays fast.
COMMANDS = {
    "plan": "plan",
    "explain": "explain",
    "init": "init",
    "dockerfile": "dockerfile",
    "eject": "eject",
    "build": "build",
    "buildrun": "buildrun",
    "image": "image",
    "verify": "verify",
    "deploy": "deploy",
    "app": "apps",
    "apply": "apply",
    "domain": "domain",
    "tls": "tls",
    "job": "jobs",
    "jobrun": "jobruns",
    "secret": "bundles",
    "configmap": "bundles",
    "volume": "volumes",
    "service": "services",
    "project": "projects",
    "token": "tokens",
    "audit": "audit",
    "top": "top",
    "server": "server",
    "doctor": "doctor",
}


class _Lazy(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"s2i.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(s2i.__version__, message="%(version)s")
def cli() -> None:
    """Turn Python source into a running service, and say why at every step.

    \b
    s2i plan ./src        what would be built, and the evidence for it
    s2i explain ./src     the whole argument: read, decided, built, run
    s2i build ./src       an image
    s2i deploy ./src      a running app and its URL (or a job's run)
    """


def main() -> None:
    """Run the command line; every failure ends here, as one clear text and a documented exit status."""
    # Most of what a command makes lives until its end: looking for circles in it again and again finds none.
    gc.set_threshold(50_000, 20, 20)
    try:
        # https://no-color.org: what it is set to does not matter
        code = cli.main(standalone_mode=False, color=False if os.environ.get("NO_COLOR") else None)
        sys.exit(code if isinstance(code, int) else 0)
    except S2IError as error:
        _fail(error)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        if _asked_for_json():
            _fail(E_CANCELLED(doing="it ran"))
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        if os.environ.get("S2I_DEBUG"):
            raise
        _fail(_unforeseen(error))


def _unforeseen(error: Exception) -> S2IError:
    """Return what to say of an error that nobody caught: any file that is written can find its disk full."""
    return disk_full(error) or E_INTERNAL(why=f"{type(error).__name__}: {error}")


def _fail(error: S2IError) -> None:
    """Show an error as text, or as ``{"error": …}`` when JSON was asked for, on standard error."""
    if _asked_for_json():
        import json

        click.echo(json.dumps({"error": error.as_dict()}), err=True)
    else:
        click.echo(text(error), err=True)
    sys.exit(error.exit)


def text(error: S2IError) -> str:
    """Return an error as a terminal shows it: where and what, the fix, the code."""
    place = f"{error.where}: " if error.where else ""
    lines = [f"error: {place}{error.message}"]
    if error.advice:
        lines.append("  fix: " + error.advice.replace("\n", "\n       "))
    return "\n".join((*lines, f"       ({error.code}, exit {error.exit})"))


def _asked_for_json() -> bool:
    words = sys.argv[1:]
    return any(w in ("-ojson", "--output=json", "--progress=json") for w in words) or any(
        a in ("-o", "--output", "--progress") and b == "json" for a, b in itertools.pairwise(words)
    )
