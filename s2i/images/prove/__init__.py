"""Prove an image: run it as the platform would, with no network, and say what it does.

A web app starts, listens on $PORT on 0.0.0.0, answers anything, writes nothing outside of /tmp, ends on SIGTERM; what
its entry is, is seen when it is imported. A job's command is found, and nothing of it runs.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable

import msgspec

from s2i import shell
from s2i.engines.docker import trial
from s2i.engines.docker.trial import Trial
from s2i.engines.engine import Owner
from s2i.errors import E_CANCELLED, S2IError
from s2i.images.prove import blot, checks, judge, record, watch
from s2i.images.prove.checks import line, notices
from s2i.images.prove.inside import Program
from s2i.images.prove.proof import Check, Found, Proof, Seen
from s2i.planning.plan import BuildPlan
from s2i.resources.app import Config

__all__ = ["Check", "Found", "Proof", "Seen", "line", "notices", "prove"]

GRACE_SECONDS = 10.0  # between SIGTERM and SIGKILL, as the platform gives
RESOLVE_SECONDS = 30.0


def prove(
    image: str,
    plan: BuildPlan,
    config: Config,
    *,
    owner: Owner,
    server: str = "",
    limit: float = watch.LIMIT_SECONDS,
    ended: Callable[[Proof], None] | None = None,
    cancelled: threading.Event | None = None,
    slow: Callable[[str], None] = lambda text: None,
) -> Proof:
    """Return what ``image`` (an id) does when it is run by ``config``; how long it may take to answer is ``limit``.

    ``slow`` is told, once and in a thread of its own, when the answer is long in coming.
    With ``ended`` a good verdict on serving is returned at once, and how it stops is looked at in a thread, which calls
    ``ended`` with the whole proof. What is proven is remembered. Raises E_CANCELLED, E_DOCKER and its kin, E_CONTAINER.
    """
    plan = msgspec.structs.replace(plan, entry="", start=config.command) if config.command else plan
    name = record.key(image, plan, config)
    if (before := record.find(name)) is not None:
        return msgspec.structs.replace(before, known=True)
    _sweep()
    attempt, goes_on = Trial(image, config, owner, server), False
    try:
        if plan.kind == "job":
            return _kept(name, _resolved(attempt, image, plan, cancelled))
        seen = blot.seen(watch.web(attempt, plan, config.port, limit, cancelled, slow), blot.blot(config))
        proof = judge.judge(image, plan, seen)
        if not seen.running or not proof.proven:
            return proof
        if ended is None:
            return _kept(name, _stopped(attempt, proof, config))
        goes_on = True
        threading.Thread(
            target=_finish, args=(attempt, name, proof, config, ended), name="proof end", daemon=True
        ).start()
        return proof
    except shell.Cancelled:
        raise E_CANCELLED(doing="it was being proven") from None
    finally:
        if not goes_on:
            attempt.close()


@functools.cache
def _sweep() -> None:
    """Remove what proofs that were killed have left, once a process, while something else is waited for."""

    def work() -> None:
        with contextlib.suppress(Exception):
            trial.sweep(time.time() - trial.STALE_SECONDS)

    threading.Thread(target=work, name="proof sweep", daemon=True).start()


def _kept(name: str, proof: Proof) -> Proof:
    record.keep(name, proof)
    return proof


def _stopped(attempt: Trial, proof: Proof, config: Config) -> Proof:
    """Return the proof with how the app ends, and what its whole log says of files."""
    seconds = attempt.stop(GRACE_SECONDS)
    check = checks.stopped(round(seconds, 3), attempt.state().exit, GRACE_SECONDS)
    return checks.with_end(proof, check, blot.lines(attempt.log(watch.LOG_LINES), blot.blot(config)))


def _finish(attempt: Trial, name: str, proof: Proof, config: Config, ended: Callable[[Proof], None]) -> None:
    # When the engine is gone, whoever needs it next says so.
    with attempt, contextlib.suppress(S2IError):
        ended(_kept(name, _stopped(attempt, proof, config)))


def _resolved(attempt: Trial, image: str, plan: BuildPlan, cancelled: threading.Event | None) -> Proof:
    """Return the proof of a job: that its command is there."""
    began = time.monotonic()
    made = Proof(image=image, kind=plan.kind, entry=plan.entry)
    if plan.base is None:
        unknown = Check("command", True, "is the Dockerfile's own: it is not looked into")
        return msgspec.structs.replace(made, checks=(unknown,))
    program = Program("resolve", *plan.start)
    argv = ("python", "-I", *program.words)
    said = [program.said(line) for line in watch.gathered(lambda: attempt.run(argv), RESOLVE_SECONDS, cancelled)]
    seconds = round(time.monotonic() - began, 3)
    return judge.job(made, next((one for one in said if one), None), seconds)
