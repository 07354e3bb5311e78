"""`ops dataset split`: what a model learns from, and what it is judged by."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.dataset import app
from ops.cli.dedup import Near, counted, unseen_warnings
from ops.cli.output import Result, Table, Warn
from ops.cli.round_text import DryRun
from ops.cli.session import Session
from ops.cli.verb import verb
from ops.core.records import Json
from ops.core.splits import parse_ratios, share_text
from ops.errors import RefusedError, UsageError

if TYPE_CHECKING:
    from ops.core.split_facts import SplitFacts
    from ops.core.splits import Leak
    from ops.runner.splits import Made

_SHOWN = 10


@verb(app, "dataset", "split")
def split(
    session: Session,
    name: Annotated[str | None, typer.Argument(help="The split's name.")] = None,
    *,
    ratios: Annotated[
        str | None,
        typer.Option(metavar="PART=SHARE,…", help="As train=0.8,val=0.1,test=0.1: add up to 1."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="EXPRESSION",
            help="Tasks of one value stay together: a column of a joined table, or SQL over it.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Same seed, same parts, on any machine; 0 at first.")
    ] = None,
    near: Near = None,
    ref: Annotated[
        str, typer.Option(help="What --list, --show and --check look at.", metavar="REF")
    ] = "main",
    listed: Annotated[bool, typer.Option("--list", help="List the splits there are.")] = False,
    shown: Annotated[
        bool, typer.Option("--show", help="Show a split's parts by state and label.")
    ] = False,
    checked: Annotated[
        bool, typer.Option("--check", help="Fail if tasks that belong together are apart.")
    ] = False,
    dry_run: DryRun = False,
) -> Result:
    """Give every picture of main a part, and keep that as a split of the dataset.

    A task never changes its part: the same command again takes in the pictures that came since.
    Equal pictures are in one part, as are near ones (of pictures ops data profile has measured) and
    those of one value of --by. Which part is drawn from the seed and the group's name alone.

    Raises:
        UsageError: options that exclude each other, or a name that is missing.
    """
    _refuse_mixed(
        {"--list": listed, "--show": shown, "--check": checked},
        {
            "--ratios": ratios is not None,
            "--by": by is not None,
            "--seed": seed is not None,
            "--near": near is not None,
            "--dry-run": dry_run,
        },
    )
    if listed:
        return _list(session, ref)
    if name is None:
        raise UsageError(
            "missing-value",
            "NAME is missing",
            unchanged="nothing was read or written",
            hint="ops dataset split NAME --ratios train=0.8,val=0.1,test=0.1\n"
            "or see which there are: ops dataset split --list",
        )
    if shown:
        return _show(session, ref, name)
    if checked:
        return _check(session, ref, name)
    if ref != "main":
        _refuse_options("--ref", "making a split, which is of main")

    from ops.runner.splits import Asked, make_split

    asked = Asked(
        ratios=parse_ratios(ratios) if ratios is not None else None,
        by=by,
        seed=seed,
        near_distance=near,
    )
    return _made(make_split(session.context(), name, asked, dry_run=dry_run), dry_run=dry_run)


def _refuse_mixed(views: Mapping[str, bool], making: Mapping[str, bool]) -> None:
    asked = [option for option, is_asked in views.items() if is_asked]
    more = [option for option, is_asked in making.items() if is_asked]
    if len(asked) > 1 or (asked and more):
        _refuse_options(asked[0], [*asked[1:], *more][0])


def _refuse_options(one: str, other: str) -> None:
    raise UsageError(
        "options-exclude",
        f"{one} does not go with {other}",
        unchanged="nothing was read or written",
        hint="ops dataset split --help",
    )


def _made(made: "Made", *, dry_run: bool) -> Result:
    facts, total = made.facts, sum(made.facts.counts.values())
    nothing = not made.added and not made.is_new
    if nothing:
        heading = f"split {facts.name} holds every picture already: nothing to do"
    else:
        verb_ = "would assign" if dry_run else "assigned"
        heading = f"{verb_} {len(made.added)} tasks; split {facts.name} holds {total}"
    rows = [
        (part, share_text(facts.ratios[part]), f"{count / total:.3f}", count)
        for part, count in facts.counts.items()
    ]
    data: dict[str, Json] = {
        **facts.as_mapping(),
        "added": {**made.added},
        "gone": made.gone,
        "leaks": _leaks_json(made.leaks),
        "ungrouped": made.ungrouped,
        "largest_group": {"name": made.largest[0], "tasks": made.largest[1]},
        "unprofiled": made.pictures.unprofiled,
        "already_done": nothing,
        "commit": made.commit,
    }
    warnings = [
        *_ratio_warnings(made),
        *_leak_warnings(made.leaks, facts.name),
        *_group_warnings(made),
        *unseen_warnings(made.pictures, facts.near_distance),
    ]
    return Result(
        data=data,
        body=[heading, "", Table(columns=("part", "asked", "has", "tasks"), rows=rows)],
        status="planned" if dry_run and not nothing else "ok",
        warnings=warnings,
    )


def _ratio_warnings(made: "Made") -> Iterable[Warn]:
    from ops.core.splits import parts_far_off

    facts, (group, count) = made.facts, made.largest
    total = sum(facts.counts.values())
    far = parts_far_off(facts.counts, facts.ratios)
    if far:
        said = ", ".join(
            f"{part} has {facts.counts[part]} of {total} ({facts.counts[part] / total:.1%} rather "
            f"than {float(facts.ratios[part]):.1%})"
            for part in far
        )
        why = f"the largest group, {group!r}, holds {count}" if count > 1 else "they are few tasks"
        yield Warn(code="ratios-off", message=f"{said}: {why}", subject=facts.name)


def _group_warnings(made: "Made") -> Iterable[Warn]:
    if made.ungrouped:
        yield Warn(
            code="no-group",
            message=f"{made.ungrouped} tasks have no value of {made.facts.by}: each is a group of "
            "its own",
            subject=made.facts.name,
        )
    if made.gone:
        yield Warn(
            code="pictures-gone",
            message=f"{made.gone} tasks of the split have no picture any more; they keep their "
            "part, should it come back",
            subject=made.facts.name,
        )


def _leak_warnings(leaks: Sequence["Leak"], name: str) -> Iterable[Warn]:
    if leaks:
        yield Warn(
            code="leak",
            message=f"{counted(len(leaks), 'pair')} of tasks that belong together in different "
            f"parts: {_few(leaks)}; a split that is there does not move: make one of another name",
            subject=name,
        )


def _few(leaks: Sequence["Leak"]) -> str:
    rest = f" and {len(leaks) - _SHOWN} more" if len(leaks) > _SHOWN else ""
    return "; ".join(map(_leak_text, leaks[:_SHOWN])) + rest


def _leak_text(leak: "Leak") -> str:
    link = leak.link
    return f"{link.one} ({leak.part}) and {link.other} ({leak.other_part}), {link.why.word}"


def _leaks_json(leaks: Sequence["Leak"]) -> list[Json]:
    return [
        {
            "tasks": [leak.link.one, leak.link.other],
            "parts": [leak.part, leak.other_part],
            "why": leak.link.why.word,
            "distance": leak.link.distance,
        }
        for leak in leaks
    ]


def _list(session: Session, ref: str) -> Result:
    from ops.runner.dataset import resolve
    from ops.runner.splits import list_splits

    context = session.context()
    found = list_splits(context, resolve(context, ref))
    rows = [
        (one.name, _parts(one), one.by or "–", one.seed, one.made_by, one.made_at) for one in found
    ]
    columns = ("split", "parts", "by", "seed", "made by", "at")
    return Result(
        data={"splits": [one.as_mapping() for one in found]},
        body=[Table(columns=columns, rows=rows), counted(len(found), "split")],
    )


def _parts(facts: "SplitFacts") -> str:
    return ", ".join(f"{part} {count}" for part, count in facts.counts.items())


def _show(session: Session, ref: str, name: str) -> Result:
    from ops.runner.dataset import resolve
    from ops.runner.splits import show_split

    context = session.context()
    found = show_split(context, resolve(context, ref), name)
    facts = found.facts
    heading = f"split {name}: seed {facts.seed}, by {facts.by or 'nothing'}, at {ref}"
    return Result(
        data={
            **facts.as_mapping(),
            "unassigned": found.unassigned,
            "states": {part: dict(found.states[part]) for part in facts.ratios},
            "labels": {part: dict(found.labels[part]) for part in facts.ratios},
        },
        body=[
            heading,
            "",
            _by_part("state", found.states, facts),
            *(["", _by_part("label", found.labels, facts)] if any(found.labels.values()) else []),
            *([_unassigned(found.unassigned, name)] if found.unassigned else []),
        ],
    )


def _by_part(what: str, counts: Mapping[str, Mapping[str, int]], facts: "SplitFacts") -> Table:
    """Tasks by a state or label and part, and what share of them each part has."""
    rows: list[Sequence[str | int]] = []
    for name in sorted({name for one in counts.values() for name in one}):
        total = sum(one.get(name, 0) for one in counts.values())
        cells = [counts[part].get(name, 0) for part in facts.ratios]
        rows.append((name, *(f"{cell} ({cell / total:.0%})" for cell in cells)))
    asked = [f"{part} ({float(share):.0%})" for part, share in facts.ratios.items()]
    return Table(columns=(what, *asked), rows=rows)


def _unassigned(count: int, name: str) -> str:
    return f"{count} pictures have no part yet: ops dataset split {name}"


def _check(session: Session, ref: str, name: str) -> Result:
    from ops.runner.dataset import resolve
    from ops.runner.splits import check_split

    context = session.context()
    found = check_split(context, resolve(context, ref), name)
    data: dict[str, Json] = {
        "name": name,
        "leaks": _leaks_json(found.leaks),
        "unassigned": list[Json](found.unassigned),
        "unprofiled": found.pictures.unprofiled,
    }
    if found.leaks:
        raise RefusedError(
            "split-leaks",
            f"{counted(len(found.leaks), 'pair')} of tasks that belong together in different "
            f"parts of split {name}",
            subject=name,
            where=(("pairs", "\n".join(map(_leak_text, found.leaks[:_SHOWN]))),),
            unchanged="nothing was written: a split that is there does not move",
            hint="make a split of another name, or leave one task of each pair out of training",
            details=data,
        )
    body = [f"split {name} has no leak among {len(found.pictures.objects)} pictures at {ref}"]
    if found.unassigned:
        body.append(f"{len(found.unassigned)} pictures have no part yet: ops dataset split {name}")
    return Result(
        data=data, body=body, warnings=unseen_warnings(found.pictures, found.facts.near_distance)
    )
