"""The command ``dissonance``: reads the command line; each command's work is in a module of its own.

Nothing heavy is imported before a command needs it, so that ``--help`` is quick. Exit codes: 0 pass,
1 fail, 2 bad input, 3 unknown, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

__all__ = ["app", "main"]

app = typer.Typer(
    name="dissonance",
    help="Injects faults into multi-agent workflows, offline, and says whether they hold.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Kind = Literal["faults", "checks", "patterns", "experiments"]
Engine = Literal["local", "dask", "ray"]

_TARGET = "The workflow: module:callable or path/to/file.py:callable, any function that uses anthropic."
_Target = Annotated[str, typer.Argument(metavar="TARGET", help=_TARGET, show_default=False)]
_Again = Annotated[str | None, typer.Argument(metavar="TARGET", help=f"{_TARGET} Default: the run's own.")]
_Task = Annotated[str | None, typer.Option("--task", metavar="TEXT", help="The task that the workflow is called with.")]
_TaskFile = Annotated[Path | None, typer.Option("--task-file", metavar="FILE", help="A text file with the task.")]
_Checks = Annotated[str | None, typer.Option("--checks", metavar="NAME,…", help="Judge by these checks alone.")]
_Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder of the report.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else on standard output.")]
_Seed = Annotated[int | None, typer.Option("--seed", help="Seed of all that is drawn (default: 0).")]
_Limit = Annotated[
    list[str] | None,
    typer.Option("--limit", metavar="NAME=N", help="Stop a run there: calls, seconds, tokens, usd or real_seconds."),
]

_Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="Who answers: gullible[:K], skeptical:CORRECTION, recorded:PATH, live:USD[:MODEL], or file.py:NAME.",
    ),
]
_Prove = Annotated[bool, typer.Option("--prove", help="Make each run twice, in two processes that must agree.")]


@app.command()
def run(
    experiments: Annotated[
        list[str] | None, typer.Argument(metavar="[EXPERIMENT…]", help="Default: all but `matrix`, which --full adds.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the report.")] = Path("dissonance-report"),
    quick: Annotated[bool, typer.Option("--quick", help="Few seeds: a look.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Many seeds: narrow intervals.")] = False,
    seeds: Annotated[int | None, typer.Option(help="Runs of each arm.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a parameter of an experiment.")
    ] = None,
    params: Annotated[Path | None, typer.Option(metavar="FILE", help="A TOML file of parameters.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes (default: one for each core).")] = None,
    prove: _Prove = False,
) -> int:
    """Run experiments and write one report."""
    if quick and full:
        raise typer.BadParameter("--quick and --full are both given; give one of them")
    from .experiment import Chosen, run_named

    how = Chosen(
        size="quick" if quick else "full" if full else "default",
        seeds=seeds,
        assignments=changes or (),
        params=params,
        jobs=jobs,
    )
    return run_named(experiments or [], out, how, prove)


@app.command()
def probe(
    target: _Target,
    task: _Task = None,
    task_file: _TaskFile = None,
    plan: Annotated[Path | None, typer.Option(metavar="FILE", help="Try this plan, not the battery.")] = None,
    search: Annotated[
        int | None,
        typer.Option(metavar="N", help="Search for the smallest plan that breaks it, in N runs, not by the battery."),
    ] = None,
    checks: _Checks = None,
    out: _Out = Path("dissonance-report"),
    as_json: _Json = False,
    seed: _Seed = None,
    limit: _Limit = None,
    model: _Model = None,
    prove: _Prove = False,
) -> int:
    """Try the standard battery of faults on a workflow of yours."""
    from .commands import Given, probe_target

    given = Given(
        target=target,
        task=task,
        task_file=task_file,
        checks=checks,
        out=out,
        seed=seed,
        as_json=as_json,
        limits=limit or (),
        model=model,
        prove=prove,
    )
    return probe_target(given, plan, search)


@app.command()
def replay(
    plan_or_run: Annotated[Path, typer.Argument(metavar="PLAN_OR_RUN", help="A plan's file or a run's folder.")],
    target: _Again = None,
    task: _Task = None,
    task_file: _TaskFile = None,
    checks: _Checks = None,
    out: _Out = None,
    as_json: _Json = False,
    seed: _Seed = None,
    limit: _Limit = None,
    model: _Model = None,
) -> int:
    """Play a stored run, or a plan, again."""
    from .commands import Given, replay_stored

    given = Given(
        target=target,
        task=task,
        task_file=task_file,
        checks=checks,
        out=out,
        seed=seed,
        as_json=as_json,
        limits=limit or (),
        model=model,
    )
    return replay_stored(plan_or_run, given)


@app.command()
def sweep(
    target: Annotated[
        str, typer.Argument(metavar="TARGET_OR_FOLDER", help=f"{_TARGET} Or a sweep's folder, to go on with it.")
    ],
    task: _Task = None,
    task_file: _TaskFile = None,
    plans: Annotated[
        list[str] | None,
        typer.Option("--plan", metavar="FILE", help="A plan's file, or its name in the battery (default: all of it)."),
    ] = None,
    vary: Annotated[
        list[str] | None, typer.Option("--vary", metavar="NAME=V,…", help="Values of a parameter of the workflow.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each combination.")] = 10,
    checks: _Checks = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the sweep.")] = Path("dissonance-sweep"),
    engine: Annotated[Engine, typer.Option(help="Where the runs are played.")] = "local",
    jobs: Annotated[int | None, typer.Option(min=1, help="Workers (default: one for each core).")] = None,
    address: Annotated[str | None, typer.Option(help="Of a Dask scheduler or a Ray cluster.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Store the runs that fail, for replay.")] = False,
    limit: _Limit = None,
    model: _Model = None,
    as_json: _Json = False,
) -> int:
    """Play a workflow under many plans, parameters and seeds, into one table."""
    from .sweep import Wanted, sweep_target

    resumed = Path(target).is_dir()
    wanted = Wanted(
        target=target,
        task=task,
        task_file=None if task_file is None else str(task_file),
        plans=tuple(plans or ()),
        vary=tuple(vary or ()),
        checks=checks,
        seeds=seeds,
        limits=tuple(limit or ()),
        model=model,
        keep=keep,
    )
    return sweep_target(
        None if resumed else wanted,
        Path(target) if resumed else out,
        engine=engine,
        jobs=jobs or os.cpu_count() or 1,
        address=address,
        as_json=as_json,
    )


@app.command()
def check(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a stored run.")],
    checks: _Checks = None,
    as_json: _Json = False,
) -> int:
    """Judge a stored run again."""
    from .commands import check_run

    return check_run(run, checks, as_json)


@app.command()
def serve(
    plan: Annotated[Path | None, typer.Option(metavar="FILE", help="The faults of each run (default: none).")] = None,
    model: _Model = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0: any free port.")] = 8008,
    host: Annotated[str, typer.Option(help="Where to listen; beyond loopback a token is asked for.")] = "127.0.0.1",
    token: Annotated[
        str | None, typer.Option(metavar="TEXT", envvar="DISSONANCE_TOKEN", help="The only API key that is taken.")
    ] = None,
    speed: Annotated[float, typer.Option(metavar="N", help="Simulated seconds to each real one.")] = 1.0,
    checks: _Checks = None,
    store: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the runs' folders are made.")] = None,
    seed: _Seed = None,
    limit: _Limit = None,
) -> int:
    """Serve the simulated API at a socket, for workflows in other processes and languages."""
    from .serve import Service, serve_until_told

    given = Service(
        plan=plan,
        model=model,
        port=port,
        host=host,
        token=token,
        speed=speed,
        checks=checks,
        store=store,
        seed=seed,
        limits=limit or (),
    )
    return serve_until_told(given)


@app.command("list")
def list_(
    kind: Annotated[Kind | None, typer.Argument(help="Default: all.", show_default=False)] = None,
) -> int:
    """List the faults, checks, patterns and experiments that there are."""
    from .catalogue import entries
    from .console import show_entries

    for each in [kind] if kind else get_args(Kind):
        show_entries(each, entries(each))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: of this process); the exit code."""
    try:
        result = app(
            list(sys.argv[1:] if arguments is None else arguments), prog_name="dissonance", standalone_mode=False
        )
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        return _told(error)
    return result if isinstance(result, int) else 0


def _told(error: Exception) -> int:
    """Print an error that the user can put right; any other goes on its way."""
    from dissonance.harness.errors import DissonanceError

    if isinstance(error, typer.Abort):
        return 130
    if isinstance(error, DissonanceError):
        print(f"error: {error}", file=sys.stderr)
        return 2
    show = getattr(error, "show", None)  # a usage error of typer's
    if show is None:
        raise error
    show()
    return int(getattr(error, "exit_code", 2))
