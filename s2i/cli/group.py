"""A group of commands that knows what people type when they mean one of them."""

from __future__ import annotations

import click

CLOSE = 0.6
# What other tools call it; the first of these that the group has is meant.
WORDS: dict[str, tuple[str, ...]] = {
    "ls": ("list", "app list"),
    "ps": ("list", "app list"),
    "apps": ("app list",),
    "images": ("image list",),
    "jobs": ("job list",),
    "builds": ("buildrun list",),
    "show": ("get", "inspect", "status", "explain"),
    "describe": ("get", "inspect", "status", "explain"),
    "info": ("get", "inspect", "status", "doctor"),
    "inspect": ("get", "image inspect"),
    "status": ("get", "server status"),
    "rm": ("delete", "gc", "app delete"),
    "remove": ("delete", "gc", "app delete"),
    "destroy": ("delete", "app delete"),
    "prune": ("gc", "image gc"),
    "log": ("logs", "app logs"),
    "logs": ("app logs",),
    "tail": ("logs", "app logs"),
    "run": ("deploy", "start"),
    "up": ("deploy", "start"),
    "push": ("build --push",),
    "down": ("stop", "server stop"),
    "check": ("doctor",),
}
# What no command does, and what is done in its place.
INSTEAD = {
    "job run": "`s2i jobrun submit NAME` runs a job",
    "job submit": "`s2i jobrun submit NAME` runs a job",
}


class Group(click.Group):
    """A group whose error about a command that it has not names one that it has."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that ``args`` begins with. Raises click.UsageError (exit 2)."""
        word = args[0]
        if self.get_command(ctx, word) is None and not word.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"there is no command '{word}'{self._hint(ctx, word)}")
        return super().resolve_command(ctx, args)

    def _hint(self, ctx: click.Context, word: str) -> str:
        if told := INSTEAD.get(f"{self.name} {word}"):
            return f": {told}"
        import difflib  # only where somebody has mistyped

        names = self.list_commands(ctx)
        group = "s2i" if ctx.parent is None else f"s2i {self.name}"
        own = [one for one in WORDS.get(word, ()) if one in names or (ctx.parent is None and " " in one)]
        near = own[:1] or difflib.get_close_matches(word.lower(), names, 3, CLOSE)
        return f". Did you mean {' or '.join(f'`{group} {one}`' for one in near)}?" if near else ""
