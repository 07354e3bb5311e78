"""What main states and people name, spoilt: label configs, gates, pictures, rounds, refs, keys."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from ops.core.names import GATES_PATH, LABEL_CONFIG_PATH, MAIN, media_path
from ops.core.records import TaskKey
from ops.core.selection import Selection
from ops.errors import NotFoundError, UsageError
from ops.ports import Upload
from ops.runner.abort import abort_round
from ops.runner.dataset import read_card, resolve
from ops.runner.finish import finish_round
from ops.runner.history import task_history
from ops.runner.init import init_repository
from ops.runner.start import start_round
from ops.runner.sync import sync_round
from tests.bad_input.documents import at, begin, finish
from tests.bad_input.scene import Act, Case, Scene
from tests.fakes.lake import FakeLake

IMAGE = '<Image name="image" value="$image"/>'
LABELS = '<Label value="brie"/><Label value="gouda"/>'
BOXES = f'<RectangleLabels name="label" toName="image">{LABELS}</RectangleLabels>'


def _config(inner: str) -> str:
    return f"<View>\n  {inner}\n</View>"


def _configs() -> Iterator[tuple[str, str, str, str]]:
    yield "empty", "nothing", "", "line 1"
    yield "blank", "blank lines", "\n\n  \n", "line"
    yield "words", "a list of labels", "brie, gouda", "line 1"
    yield "json", "another format", '{"labels": ["brie"]}', "line 1"
    yield "truncated", "the first half", _config(IMAGE + BOXES)[:80], "line"
    yield "two-roots", "two label configs", _config(IMAGE + BOXES) * 2, "line 3"
    yield (
        "unclosed",
        "a tag that is not closed",
        _config(IMAGE.replace("/>", ">") + BOXES),
        "line 3",
    )
    yield (
        "case",
        "a tag closed in another case",
        _config(IMAGE + BOXES).replace("</View>", "</view>"),
        "line 3",
    )
    yield (
        "attribute-twice",
        "an attribute twice",
        _config(IMAGE + BOXES).replace("name=", 'name="x" name=', 1),
        "line 2",
    )
    yield (
        "unquoted",
        "a value without quotes",
        _config(IMAGE + BOXES).replace('"image"', "image", 1),
        "line 2",
    )
    yield "ampersand", "a bare &", _config(IMAGE + BOXES.replace("brie", "brie & co")), "line 2"
    yield (
        "entity",
        "an entity of HTML",
        _config(IMAGE + BOXES.replace("brie", "brie&nbsp;")),
        "line 2",
    )
    yield "dtd", "a document type", "<!DOCTYPE View>\n" + _config(IMAGE + BOXES), "line 1"
    yield "bomb", "entities that grow", _BOMB, "line 1"
    yield "reads-files", "an entity that reads files", _READS, "line 1"
    yield "nul", "a character XML lacks", _config(IMAGE + BOXES.replace("brie", "br\0e")), "line 2"
    yield (
        "surrogate",
        "half a character",
        _config(IMAGE + BOXES.replace("brie", "br\ud83de")),
        "line",
    )
    yield "deep", "tags too deep", "<View>" * 200 + "</View>" * 200, "line 1"
    yield "markdown", "a fence around it", "```xml\n" + _config(IMAGE + BOXES) + "\n```", "line 1"
    yield "no-control", "nothing to answer with", _config(IMAGE), "line 1"
    yield "no-object", "nothing to look at", _config('<Choices name="c" toName="c"/>'), "line 1"
    yield (
        "no-variable",
        "one picture for all tasks",
        _config(IMAGE.replace("$image", "a.png") + BOXES),
        "line 1",
    )
    yield "name-twice", "one name for two", _config(IMAGE + BOXES + BOXES), "'label' twice"
    yield (
        "to-nothing",
        "a control of nothing",
        _config(IMAGE + BOXES.replace('toName="image"', 'toName="img"')),
        "'img'",
    )
    yield (
        "to-missing",
        "a control without an object",
        _config(IMAGE + BOXES.replace(' toName="image"', "")),
        "toName",
    )
    yield (
        "no-name",
        "a control without a name",
        _config(IMAGE + BOXES.replace(' name="label"', "")),
        "name",
    )
    yield (
        "one-of-two",
        "Pairwise with one side",
        _config(IMAGE + '<Pairwise name="p" toName="image,other"/>'),
        "'other'",
    )


_BOMB = '<!DOCTYPE v [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\n' + _config(
    IMAGE + BOXES.replace("brie", "&b;")
)
_READS = '<!DOCTYPE v [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n' + _config(
    IMAGE + BOXES.replace("brie", "&a;")
)


def _label_configs() -> Iterator[Case]:
    for name, wrong, text, place in _configs():
        yield Case(
            id=f"config-{name}", wrong=wrong, act=_init(text), code="label-config", place=place
        )
    stored: tuple[tuple[str, str, Callable[[bytes], bytes], str], ...] = (
        ("utf-16", "saved as UTF-16", lambda d: d.decode().encode("utf-16"), "byte"),
        (
            "latin-1",
            "a byte of another encoding",
            lambda d: d.replace(b"brie", b"br\xeee"),
            "byte",
        ),
        ("half", "the first half", lambda d: d[: len(d) // 2], "line"),
        ("emptied", "nothing", lambda _: b"", "line 1"),
    )
    for name, wrong, spoil, place in stored:
        for act, verb in ((begin, "start"), (_init(None), "init"), (finish, "finish")):
            yield Case(
                id=f"config-main-{name}-{verb}",
                wrong=f"{wrong}, on main",
                spoil=at(MAIN, LABEL_CONFIG_PATH, spoil),
                act=act,
                code="label-config",
                place=place,
            )


def _init(text: str | None) -> Act:
    """Set up a repository of its own with a label config; without one, the one that is there."""

    def act(scene: Scene) -> object:
        context = scene.context
        if text is not None:
            lake = FakeLake("fresh", server=scene.world.lake_server)
            context = replace(context, lake=lake)
        return init_repository(context, label_config=text, namespace="mem://fresh")

    return act


def _gates() -> Iterator[Case]:
    files: tuple[tuple[str, str, bytes, str], ...] = (
        ("no-toml", "another format", b'{"coverage": {"answered": 1}}', "line 1"),
        ("half", "a table that is not closed", b"[coverage", "end of document"),
        ("twice", "a setting twice", b"[coverage]\nanswered = 1\nanswered = 0\n", "line 3"),
        ("latin-1", "a byte of another encoding", b"[finish]\nwho = ['l\xe9na@*']\n", "byte 18"),
        ("bom", "a byte order mark", b"\xef\xbb\xbf[coverage]\nanswered = 1\n", "line 1"),
        ("table", "an unknown table", b"[coverge]\nanswered = 0.5\n", "coverge"),
        ("setting", "an unknown setting", b"[coverage]\nanswerd = 0.5\n", "coverage.answerd"),
        ("no-table", "a value for a table", b"coverage = 1\n", "coverage"),
        ("over", "more than everything", b"[coverage]\nanswered = 1.1\n", "coverage.answered"),
        ("percent", "percent for a share", b"[coverage]\nanswered = 95\n", "coverage.answered"),
        ("negative", "less than nothing", b"[agreement]\nminimum = -0.1\n", "agreement.minimum"),
        ("nan", "no number", b"[agreement]\nminimum = nan\n", "NaN"),
        ("text", "a text for a share", b"[agreement]\nminimum = '0.8'\n", "agreement.minimum"),
        (
            "measure",
            "a measure there is not",
            b"[agreement]\nmeasure = 'kappa'\n",
            "agreement.measure",
        ),
        ("bit", "a text for a bit", b"[labels]\nonly_ontology = 'yes'\n", "labels.only_ontology"),
        ("half-conflict", "half a conflict", b"[conflicts]\nmaximum = 0.5\n", "conflicts.maximum"),
        ("who-text", "one person, no list", b"[finish]\nwho = 'lena@*'\n", "finish.who"),
        ("who-empty", "an empty pattern", b"[finish]\nwho = ['']\n", "finish.who"),
        (
            "metadata",
            "no name of metadata",
            b"[metadata]\nrequired = ['a b']\n",
            "metadata.required",
        ),
        (
            "date",
            "a date for a number",
            b"[conflicts]\nmaximum = 2026-11-21\n",
            "conflicts.maximum",
        ),
    )
    for name, wrong, data, place in files:
        yield Case(
            id=f"gates-{name}",
            wrong=wrong,
            spoil=at(MAIN, GATES_PATH, lambda _, data=data: data),
            act=finish,
            code="gates-invalid",
            place=place,
        )


def _pictures() -> Iterator[Case]:
    key = TaskKey("p003.png")
    facts: tuple[tuple[str, str, Mapping[str, str], str], ...] = (
        ("words", "a width in words", {"width": "wide"}, "width"),
        ("negative", "a width below zero", {"width": "-160"}, "width"),
        ("float", "half a pixel", {"height": "120.5"}, "height"),
        ("empty", "no number at all", {"height": ""}, "height"),
        ("digits", "more digits than pixels", {"width": "9" * 30}, "width"),
    )
    for name, wrong, metadata, place in facts:

        def spoil(scene: Scene, metadata: Mapping[str, str] = metadata) -> None:
            lake = scene.world.lake
            lake.create_branch("around", MAIN)
            data = scene.read(MAIN, media_path(key))
            upload = Upload(
                path=media_path(key), data=data, content_type="image/png", metadata=metadata
            )
            lake.write_many("around", [upload])
            lake.commit("around", "Around ops", {})
            lake.merge("around", MAIN, "Around ops", {})
            lake.delete_branch("around")

        yield Case(
            id=f"picture-{name}",
            wrong=wrong,
            spoil=spoil,
            act=begin,
            code="image-facts",
            place=place,
        )


def _names() -> Iterator[Case]:
    names = (
        ("empty", "no name", ""),
        ("uppercase", "a capital", "Cheese"),
        ("space", "two words", "two cheeses"),
        ("edge", "a space at the end", "cheese "),
        ("newline", "a line's end", "cheese\n"),
        ("slash", "a path", "cheese/2"),
        ("dot", "a version", "cheese-1.2"),
        ("dots", "the folder above", ".."),
        ("dash", "an option", "-cheese"),
        ("underscore", "an underscore first", "_cheese"),
        ("umlaut", "a letter beyond ASCII", "käse"),
        ("wide", "a digit beyond ASCII", "cheese-\uff12"),
        ("long", "51 characters", "c" * 51),
        ("nul", "a character nobody sees", "chee\0se"),
        ("tilde", "an expression", "cheese~1"),
        ("percent", "an escaped slash", "cheese%2f2"),
    )
    for name, wrong, text in names:
        yield Case(
            id=f"round-{name}",
            wrong=wrong,
            act=lambda scene, text=text: start_round(scene.context, text, Selection()),
            code="round-name",
            place=repr(text),
            error=UsageError,
        )
    acts: tuple[tuple[str, Act], ...] = (
        ("sync", lambda scene: sync_round(scene.context, "Two")),
        ("finish", lambda scene: finish_round(scene.context, "Two")),
        ("abort", lambda scene: abort_round(scene.context, "Two")),
    )
    for verb, act in acts:
        yield Case(
            id=f"round-{verb}-uppercase",
            wrong="a round's name as it is not written",
            act=act,
            code="round-name",
            place="'Two'",
            error=UsageError,
        )
        yield Case(
            id=f"round-{verb}-unknown",
            wrong="a round there is not",
            act=_with_name(verb, "tow"),
            code="no-such-round",
            place="tow",
            error=NotFoundError,
        )


def _with_name(verb: str, name: str) -> Act:
    acts: Mapping[str, Act] = {
        "sync": lambda scene: sync_round(scene.context, name),
        "finish": lambda scene: finish_round(scene.context, name),
        "abort": lambda scene: abort_round(scene.context, name),
    }
    return acts[verb]


def _refs() -> Iterator[Case]:
    refs = (
        ("empty", "nothing", ""),
        ("space", "two words", "main branch"),
        ("edge", "a space at the end", "main "),
        ("before", "before the first commit", "main~99"),
        ("parent", "a parent there is not", "main^3"),
        ("words", "steps in words", "main~one"),
        ("version", "a version there is not", "v99"),
        ("zero", "no version", "v0"),
        ("commit", "a commit there is not", "f" * 64),
        ("head", "git's name", "HEAD"),
        ("path", "git's path", "refs/heads/main"),
        ("reflog", "git's reflog", "main@{1}"),
        ("range", "git's range", "v1..main"),
        ("object", "an object of it", "main:card.json"),
        ("dots", "the folder above", ".."),
        ("case", "another case", "Main"),
        ("nul", "a character nobody sees", "ma\0in"),
        ("umlaut", "a letter beyond ASCII", "mäin"),
        ("long", "5 000 letters", "m" * 5000),
    )
    for name, wrong, ref in refs:
        yield Case(
            id=f"ref-{name}",
            wrong=wrong,
            act=lambda scene, ref=ref: resolve(scene.context, ref),
            code="no-such-ref",
            place=repr(ref),
            error=NotFoundError,
        )
    yield Case(
        id="ref-card",
        wrong="a commit without a card",
        act=lambda scene: read_card(scene.context, "v1~1"),
        code="no-card",
        place="v1~1",
        error=NotFoundError,
    )


def _keys() -> Iterator[Case]:
    keys = (
        ("unknown", "a picture there is not", "p099.png"),
        ("empty", "nothing", ""),
        ("prefix", "the object's path", "images/p000.png"),
        ("record", "the record's path", "annotations/p000.png.json"),
        ("case", "another case", "P000.PNG"),
        ("suffix", "no suffix", "p000"),
        ("space", "a space at the end", "p000.png "),
        ("newline", "another system's line end", "p000.png\r"),
        ("above", "the folder above", "../images/p000.png"),
        ("slash", "a slash in front", "/p000.png"),
        ("glob", "a pattern", "*.png"),
        ("number", "Label Studio's number", "4"),
        ("long", "more than lakeFS holds", "p" * 2000),
    )
    for name, wrong, text in keys:
        key = TaskKey(text)
        selection = Selection(keys=(key,))
        yield Case(
            id=f"key-{name}",
            wrong=wrong,
            act=lambda scene, s=selection: start_round(scene.context, "three", s),
            code="no-such-task",
            place=text,
            error=NotFoundError,
        )
        yield Case(
            id=f"key-{name}-blame",
            wrong=f"{wrong}, asked for its history",
            act=lambda scene, key=key: task_history(scene.context, key),
            code="no-such-image",
            place=repr(text)[1:-1],
            error=NotFoundError,
        )


def cases() -> Iterator[Case]:
    """Every bad thing that main states or people name."""
    yield from _label_configs()
    yield from _gates()
    yield from _pictures()
    yield from _names()
    yield from _refs()
    yield from _keys()
