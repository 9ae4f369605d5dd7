"""The command `keras-diagnose`. Everything heavy is loaded by the command that needs it, so that help comes at once.

Exit codes: 0: done, and nothing wrong; 1: a finding of severity warning or critical stands; 2: bad usage, or input that
cannot be read or in which nothing was measured, told in one line; 130: interrupted by Ctrl-C.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import textwrap
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diagnose._version import __version__
from diagnose.wording import one_line, printable

if TYPE_CHECKING:
    from rich.console import Console

    from diagnose.report.index import Entry
    from diagnose.run.run import Run

WRONG = 1
UNREADABLE = 2
SILENT = 120.0  # seconds; a guess: the slowest epochs that users watch write sooner

#: How a tone of the report looks in a terminal.
STYLES: dict[str, dict[str, Any]] = {
    "bad": {"fg": "red", "bold": True},
    "warn": {"fg": "yellow", "bold": True},
    "good": {"fg": "green", "bold": True},
    "strong": {"bold": True},
    "quiet": {"dim": True},
}


class Refused(click.ClickException):
    """Bad usage or unreadable input: one line, exit code 2."""

    exit_code = UNREADABLE

    def show(self, file: Any = None) -> None:
        """Print the message on one line of stderr."""
        click.echo(f"keras-diagnose: {one_line(' '.join(self.message.split()))}", err=True)


class Interrupted(Refused):
    """Ctrl-C: one line, and the exit code that a shell gives for it."""

    exit_code = 128 + signal.SIGINT


class Commands(click.Group):
    """Click's own complaints about usage, in one line too."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the arguments of the group."""
        with _in_one_line():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Parse the arguments of a command, and run it."""
        try:
            with _in_one_line():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("interrupted.") from None
        except (click.ClickException, click.exceptions.Exit, click.Abort, SystemExit):
            raise
        except Exception as error:  # a traceback would end with 1, which says that a warning stands
            raise Refused(_fault(error)) from error


def _fault(error: Exception) -> str:
    """What failed in the tool itself, and where, for whoever mends it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__}: {str(error)[:200]} ({Path(frame.filename).name}, line {frame.lineno})"
    return f"keras-diagnose failed by itself, which should not be: {what}. Please report it."


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "keras-diagnose"
        message = error.format_message()
        raise Refused(f"{message}{'' if message.endswith(('.', '?')) else '.'} See: {command} --help") from None


@contextmanager
def _refusing(*errors: type[Exception]) -> Iterator[None]:
    try:
        yield
    except errors as error:
        raise Refused(str(error) or type(error).__name__) from error


@click.group(cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="keras-diagnose")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Say why a Keras training goes wrong: what happened, where, how sure, and what to change."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@main.command(short_help="Diagnose a run file, as text, page or JSON.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--html", "page", metavar="FILE", type=click.Path(path_type=Path), help="Write the report page to FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
@click.option("--ignore", metavar="RULE", multiple=True, help="A rule to leave out; may be repeated.")
@click.pass_context
def report(ctx: click.Context, run: Path, page: Path | None, as_json: bool, ignore: tuple[str, ...]) -> None:
    """Say what a run file tells: RUN is the path given to TrainingMonitor.

    Exit code 1 says that there is something to change, 2 that nothing was measured, so that nobody can tell.
    """
    with _refusing(OSError, ValueError):
        from diagnose.api import examine
        from diagnose.outcome.outcome import why_unmeasured
        from diagnose.run.loading import load

        seen = load(run)
        diagnosis = examine(seen, ignore)
    if page is not None:
        with _refusing(OSError):
            written = diagnosis.to_html(page)
        click.echo(printable(f"report: {written}"), err=as_json)
    if as_json:
        click.echo(diagnosis.to_json())
    elif page is None:
        from diagnose.report.terminal import to_text

        click.echo(to_text(diagnosis, width=_columns(), style=_styled))
    if not seen.measured and not diagnosis.causes:
        because = f" ({why})" if (why := why_unmeasured(seen)) else ""
        raise Refused(f"nothing was measured in {run}{because}, so it is not known whether the training is healthy.")
    ctx.exit(WRONG if diagnosis.causes else 0)


@main.command(short_help="Look at a training while it goes on.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--every", metavar="SECONDS", type=click.FloatRange(0.1), default=2.0, show_default=True, help="How often to look."
)
@click.option("--once", is_flag=True, help="Print what there is now, and end.")
@click.pass_context
def watch(ctx: click.Context, run: Path, every: float, once: bool) -> None:
    """Look at a training from another terminal: RUN is the path given to TrainingMonitor.

    The view is drawn anew until the fit has ended, and waits for a run file that is not there yet. A fit that was
    killed, or stands still, is told by how long nothing was written. Exit codes as of `report`.
    """
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from diagnose.api import examine
    from diagnose.report.live_view import live_view
    from diagnose.run.loading import load

    console = Console(highlight=False)
    once = once or not console.is_terminal
    with Live(console=console, auto_refresh=False, transient=False) as screen:
        while True:
            try:
                seen = load(run)
            except (FileNotFoundError, BlockingIOError) as error:  # not begun yet, or being written at this moment
                if once and isinstance(error, FileNotFoundError):
                    raise Refused(str(error)) from error
                screen.update(Text(f"waiting for {run}", style="dim"), refresh=True)
                time.sleep(every)
                continue
            except (OSError, ValueError) as error:
                raise Refused(str(error)) from error
            diagnosis = examine(seen)
            screen.update(live_view(diagnosis, _state(seen, run)), refresh=True)
            if once or seen.facts.finished:
                break
            time.sleep(every)
    ctx.exit(WRONG if diagnosis.causes else 0 if seen.measured else UNREADABLE)


def _state(seen: Run, path: Path) -> str:
    """How far the fit is, and whether it goes on as far as one can tell."""
    steps, epochs = seen.steps, max(map(len, seen.history.values()), default=0)
    of = f" of {seen.facts.fit.epochs}" if seen.facts.fit.epochs else ""
    done = f"step {steps or 0:,}, epoch {epochs}{of}"
    if seen.facts.finished:
        return f"{done}, the fit has ended"
    silent = max(0.0, time.time() - path.stat().st_mtime)
    if silent < SILENT:
        return f"{done}, the fit goes on"
    return f"{done}; nothing was written for {silent:,.0f} s: the fit stands still, or was killed"


@main.command(short_help="Examine an activation on its own.")
@click.argument("function")
@click.option(
    "--html", "page", metavar="FILE", type=click.Path(path_type=Path), help="Write the profile's page to FILE."
)
@click.pass_context
def activation(ctx: click.Context, function: str, page: Path | None) -> None:
    """Examine an activation on its own, before any training.

    FUNCTION is module:function, path/to/file.py:function, or the name of an activation of Keras. The file or module is
    run to get at the function, as `python FILE` does: pass one that you trust.
    """
    from diagnose.activation.calling.spec import check_spec, resolve
    from diagnose.api import profile

    with _refusing(ValueError):
        check_spec(function)  # before Keras is loaded, which takes seconds
    _load_keras()
    with _refusing(ValueError, TypeError, RuntimeError):
        profiled = profile(resolve(function))
    if page is None:
        click.echo(str(profiled))
    else:
        with _refusing(OSError):
            click.echo(printable(f"profile: {profiled.to_html(page)}"))
    ctx.exit(WRONG if any(finding.severity != "note" for finding in profiled.findings) else 0)


@main.command(short_help="Try what a diagnosis advises, and say what cures.")
@click.argument("builder", metavar="FILE.py:BUILD", required=False)
@click.option(
    "--seeds", type=click.IntRange(1), default=3, show_default=True, help="How many seeds each is trained on."
)
@click.option("--budget", type=click.IntRange(1), default=30, show_default=True, help="Trainings beyond the unchanged.")
@click.option("--remedy", "wanted", metavar="KIND=VALUE@LAYER", multiple=True, help="Try this one; may be given again.")
@click.option("--jobs", type=click.IntRange(1), help="Processes that train side by side.  [default: one for two cores]")
@click.option("--html", "page", metavar="FILE", type=click.Path(path_type=Path), help="Write the page to FILE.")
@click.option("--json", "as_json", is_flag=True, help="Print all trials as JSON.")
@click.option("--skeleton", metavar="RUN", type=click.Path(path_type=Path), help="Print a builder for this run file.")
@click.pass_context
def prove(
    ctx: click.Context,
    builder: str | None,
    seeds: int,
    budget: int,
    wanted: tuple[str, ...],
    jobs: int | None,
    page: Path | None,
    as_json: bool,
    skeleton: Path | None,
) -> None:
    """Train a program unchanged, and with each remedy of its diagnosis, on the same seeds; say which one cures.

    FILE.py:BUILD names a function of a seed that gives a new compiled model and the keyword arguments of its fit. The
    file is run to get at it: pass one that you trust. `--skeleton RUN` prints such a function, to be filled in.

    Exit code 1 says that the fault was reproduced and nothing that was tried cures it.
    """
    if skeleton is not None:
        with _refusing(OSError, ValueError):
            from diagnose.report.skeleton import skeleton as written
            from diagnose.run.loading import load

            click.echo(printable(written(load(skeleton))), nl=False)
        return
    from diagnose.activation.calling.spec import check_spec, resolve
    from diagnose.remedy import parsed

    with _refusing(ValueError):
        if builder is None or ":" not in builder:
            raise ValueError(f"name the function, too: {builder or 'FILE.py'}:build; or see --skeleton RUN.")
        place, _ = check_spec(builder)
        remedies = [parsed(each) for each in wanted] or None
    sys.path.insert(0, str(Path(place).resolve().parent if place.endswith(".py") else Path.cwd()))
    _load_keras()
    with _refusing(ValueError, TypeError, RuntimeError, OSError):
        from diagnose.callbacks import prove as tried

        proof = tried(resolve(builder), seeds=seeds, budget=budget, remedies=remedies, executor=jobs)
    if page is not None:
        with _refusing(OSError):
            click.echo(printable(f"proof: {proof.to_html(page)}"), err=as_json)
    if as_json:
        click.echo(proof.to_json())
    else:
        from rich.console import Console

        from diagnose.report.proof.text import show

        show(proof, Console(width=_columns(), highlight=False))
    if proof.interrupted == "interrupted":
        raise Interrupted("interrupted; what was found until then is above.")
    cured = any(each.verdict == "cures" for each in proof.verdicts)
    ctx.exit(WRONG if proof.fault_reproduced and not cured else 0)


@main.command(short_help="List the rules, or show one rule's page.")
@click.argument("name", required=False)
def rules(name: str | None) -> None:
    """List the rules, or show the manual page of the one called NAME."""
    from rich.console import Console

    from diagnose.report.rule_pages import list_rules, show_rule
    from diagnose.rules.catalogue import ALL_RULES, rule_named

    console = Console(width=_columns(), highlight=False)
    if name is None:
        list_rules(console, ALL_RULES)
        return
    with _refusing(ValueError):
        show_rule(console, rule_named(name))


@main.command(short_help="Train six small networks, and report on each.")
@click.option(
    "--out",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("keras-diagnose-demo"),
    show_default=True,
    help="Where runs and reports go.",
)
def demo(directory: Path) -> None:
    """Train six small networks on scikit-learn's digits, and report on each.

    Most of them have a fault that users really make. It takes about two minutes on two cores, and writes a run file and
    a page for each, and index.html that sets them side by side. For one of them the remedies are tried: proof.html.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.text import Text

    from diagnose.demo import EPOCHS, NETWORKS, cured, load_digits, train
    from diagnose.report.index import Entry, write_index
    from diagnose.report.proof.text import headline

    console = Console(highlight=False)
    data = load_digits()
    with _refusing(OSError):
        directory.mkdir(parents=True, exist_ok=True)
    with console.status("Loading Keras"):
        _load_keras()
    entries: list[Entry] = []
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    begun = time.perf_counter()
    with Progress(*columns, console=console, transient=True) as progress:
        for network in NETWORKS:
            task = progress.add_task(_plain(network.name), total=EPOCHS)
            with _refusing(OSError, ValueError):
                run_file = directory / f"{network.file}.sqlite"
                diagnosis = train(network, data, run_file, partial(progress.advance, task))
                page = diagnosis.to_html(directory / f"{network.file}.html")
            progress.remove_task(task)
            entries.append(Entry(network.name, network.story, page.name, diagnosis))
            _say_entry(progress.console, entries[-1])
        progress.add_task("trying to cure tanh(x**5)", total=None)
        proof = cured()
    with _refusing(OSError):
        page = proof.to_html(directory / "proof.html")
        index = write_index(
            entries,
            directory / "index.html",
            title="Six networks, one data set",
            lede="Each was trained on scikit-learn's digits and watched by `TrainingMonitor`.",
        )
    console.print(Text(f"Tried on tanh(x**5), two seeds: {_plain(headline(proof))} See {page}", style="green"))
    console.print(Text(f"\n{time.perf_counter() - begun:.0f} s. Side by side: {index}", style="bold"))


def _say_entry(console: Console, entry: Entry) -> None:
    from rich.text import Text

    from diagnose.report.html import tone_of
    from diagnose.report.index import figures_of
    from diagnose.report.presentation import title_of_outcome

    colour = {"bad": "red", "warn": "yellow", "good": "green"}.get(tone_of(entry.diagnosis), "")
    verdict = Text.assemble(
        (_plain(entry.name), "bold"),
        "  ",
        (title_of_outcome(entry.diagnosis.outcome), colour),
        (f"  {figures_of(entry.diagnosis)[0]} right on validation samples", "dim"),
    )
    console.print(verdict)
    headline = textwrap.fill(entry.diagnosis.headline, _columns() - 2, break_long_words=False)
    console.print(Text(textwrap.indent(headline, "  ") + "\n"), soft_wrap=True)


def _plain(text: str) -> str:
    return text.replace("`", "")


def _styled(text: str, tone: str) -> str:
    return click.style(text, **STYLES[tone])


def _columns() -> int:
    """Columns of the terminal, 100 at most: longer lines are hard to read."""
    return min(shutil.get_terminal_size((92, 24)).columns, 100)


def _load_keras() -> None:
    """Import Keras and let its backend find its devices, without the greetings of TensorFlow.

    It writes them from C++ to the file descriptor of stderr, where no setting and no `sys.stderr` reaches them.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123  # a device, not a file
            os.dup2(nowhere.fileno(), 2)
        from keras import ops

        ops.zeros(())
    except ImportError as error:
        raise Refused(f"Keras or its backend cannot be loaded: {error}") from error
    finally:
        os.dup2(kept, 2)
        os.close(kept)


if __name__ == "__main__":
    main()
