"""`psf-audit sample`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from psf_audit.cli.options import folder
from psf_audit.cli.output import ForceOption, OutputOption, Outputs
from psf_audit.errors import CannotAssess, ConfigurationError, IntegrityError, Problem, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from psf_audit.model import Assessment, Source
    from psf_audit.rendering import View
    from psf_audit.spot_check_forms import AtHand, Worksheet

COUNTS = range(1, 1001)


def sample(
    assessment: Annotated[Path, typer.Argument(help="An assessment, as `assess -f json` wrote it.")],
    seed: Annotated[int, typer.Option(metavar="N", help="A number that whoever checks chose after the assessment.")],
    count: Annotated[int, typer.Option(metavar="K", help="How many rows to draw.")] = 10,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", "-m", help="Look for the files that are drawn beside this manifest.")
    ] = None,
    evidence_root: Annotated[
        Path | None, typer.Option(help="Look for the files that are drawn in this folder.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write records (YAML) to fill in, to be evidence later.")
    ] = None,
    format_: Annotated[
        str,
        typer.Option("--format", "-f", metavar="FORMAT", help="What to print: terminal, markdown, json or records."),
    ] = "terminal",
    output: OutputOption = None,
    force: ForceOption = False,
) -> None:
    """Draw rows of an assessment that a second person checks by hand.

    What matters most is drawn most. The same seed and assessment draw the same rows, on any machine.
    """
    from psf_audit import api, spot_check, spot_check_forms
    from psf_audit.reading import digest

    if seed < 0:
        raise ConfigurationError(f"--seed {seed} cannot apply", hint="give a whole number, 0 or more")
    if count not in COUNTS:
        raise ConfigurationError(f"--count {count} cannot apply", hint=f"give a number, 1 to {COUNTS[-1]}")
    inputs = [assessment, *([manifest] if manifest is not None else [])]
    written = [*(output or ()), *([f"records={record}"] if record is not None else [])]
    outputs = Outputs(forms(), format_, written, inputs, force=force)
    made = api.load(assessment)
    if not made.controls:
        raise CannotAssess("there is nothing to draw from: the assessment has no control")
    drawn = spot_check.sample(made, digest(assessment), seed=seed, count=count)
    where = _where(made, manifest, evidence_root)
    sources = {row.source.path: row.source for row in drawn.drawn if row.source is not None}
    files = _at_hand(sources.values(), *where) if where is not None else {}
    outputs.deliver(lambda render, view: render(spot_check_forms.Worksheet(drawn, files), view))
    _refuse(files)


def forms() -> dict[str, Callable[[Worksheet, View], str]]:
    """What a worksheet can be written as."""
    from psf_audit import spot_check_forms

    return {
        "terminal": spot_check_forms.text,
        "markdown": spot_check_forms.markdown,
        "json": lambda sheet, _: spot_check_forms.json_text(sheet),
        "records": spot_check_forms.records,
    }


def _where(made: Assessment, manifest: Path | None, evidence_root: Path | None) -> tuple[Path, Path] | None:
    """What paths of evidence begin at, and the folder that they may not leave; None where nothing says where to look.

    Raises:
        ConfigurationError: the folder is none, or the manifest cannot be read.
        IntegrityError: the manifest is not the one that was assessed.
    """
    from psf_audit.reading import digest

    if manifest is None:
        return (folder(evidence_root), evidence_root) if evidence_root is not None else None
    try:
        found = digest(manifest)
    except Unreadable as error:
        problem = Problem(str(manifest), error.message, error.line, error.column, error.hint)
        raise ConfigurationError(str(problem), problems=(problem,)) from error
    if found != made.manifest.sha256:
        raise IntegrityError(f"{manifest} is not the manifest that was assessed: its digest differs")
    home = manifest.resolve().parent
    return home, folder(evidence_root or home)


def _at_hand(sources: Iterable[Source], base: Path, bound: Path) -> Mapping[str, AtHand]:
    """By path: whether the file is there as it was assessed; a folder of logs is not compared."""
    from psf_audit.collection import confined
    from psf_audit.reading import digest
    from psf_audit.spot_check_forms import AtHand

    found: dict[str, AtHand] = {}
    for source in sources:
        try:
            path = confined(source.path, base.resolve(), bound.resolve())
            if path.is_dir():
                found[source.path] = AtHand.NOT_COMPARED
            else:
                found[source.path] = AtHand.SAME if digest(path) == source.sha256 else AtHand.CHANGED
        except Unreadable:
            found[source.path] = AtHand.MISSING
    return found


def _refuse(files: Mapping[str, AtHand]) -> None:
    """Say after the worksheet what stands in it already, by the exit code.

    Raises:
        IntegrityError: a file is not the one that was assessed.
        CannotAssess: a file is not at hand.
    """
    from psf_audit.spot_check_forms import AtHand
    from psf_audit.text import plural

    for state, error, words in (
        (AtHand.CHANGED, IntegrityError, "not what was assessed"),
        (AtHand.MISSING, CannotAssess, "not at hand"),
    ):
        named = [path for path, found in files.items() if found is state]
        if named:
            more = f" and {plural(len(named) - 1, 'other file')}" if named[1:] else ""
            raise error(f"{named[0]}{more}: {words}", hint="give the files that were assessed")
