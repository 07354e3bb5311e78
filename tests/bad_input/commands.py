"""Command lines and settings that are put wrongly: by hand, by a script, in ops.toml."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

USAGE, NOT_FOUND, CONFIGURATION, INVALID = 2, 3, 8, 9


@dataclass(frozen=True, kw_only=True)
class CommandCase:
    """One bad command.

    Attributes:
        id: what it is called.
        wrong: what is wrong with it.
        arguments: the command line.
        exit_code, code: what it must end with.
        place: what the error must name: an option, variable, setting or file.
        files: what lies in the directory, by name; None is a folder.
        variables: the environment, beside servers that nobody must ask.
    """

    id: str
    wrong: str
    arguments: tuple[str, ...]
    exit_code: int
    code: str
    place: str
    files: Mapping[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    variables: Mapping[str, str] = field(default_factory=dict[str, str])


def _options() -> Iterator[CommandCase]:
    values = (
        ("limit-zero", "a limit of nothing", ("--limit", "0")),
        ("limit-negative", "a limit below zero", ("--limit", "-1")),
        ("limit-words", "a limit in words", ("--limit", "ten")),
        ("limit-float", "half a task", ("--limit", "1.5")),
        ("limit-exponent", "a number as floats are written", ("--limit", "1e3")),
        ("limit-empty", "a variable a script left empty", ("--limit", "")),
        ("limit-grouped", "a number with a comma", ("--limit", "1,000")),
        ("sample-zero", "a sample of nothing", ("--sample", "0")),
        ("seed-float", "half a seed", ("--seed", "0.5")),
        ("seed-date", "a date for a seed", ("--seed", "2026-11-21")),
    )
    for name, wrong, options in values:
        yield CommandCase(
            id=f"option-{name}",
            wrong=wrong,
            arguments=("round", "start", "cheese", *options),
            exit_code=USAGE,
            code="wrong-value",
            place=options[0],
        )
    yield CommandCase(
        id="option-state",
        wrong="a state there is not",
        arguments=("data", "list", "--state", "done"),
        exit_code=USAGE,
        code="wrong-value",
        place="--state",
    )
    yield CommandCase(
        id="option-kind",
        wrong="a way of marking there is not",
        arguments=("init", "--labels", "brie", "--kind", "circles"),
        exit_code=USAGE,
        code="wrong-value",
        place="--kind",
    )
    yield CommandCase(
        id="option-log-ref",
        wrong="a ref for the log of everything",
        arguments=("dataset", "log", "--ref", "v1"),
        exit_code=USAGE,
        code="ref-without-task",
        place="--ref",
    )
    yield CommandCase(
        id="option-name",
        wrong="a round's name with a capital",
        arguments=("round", "start", "Cheese"),
        exit_code=USAGE,
        code="round-name",
        place="'Cheese'",
    )


def _buckets() -> Iterator[CommandCase]:
    """Nothing of this asks a bucket."""
    addresses = (
        ("none", "nothing", "", "''"),
        ("s3", "another maker's bucket", "s3://pictures/a/", "s3://pictures/a/"),
        ("folder", "a folder on the disk", "pictures/", "pictures/"),
        ("scheme", "a scheme alone", "gs://", "gs://"),
        ("slash", "a slash too many", "gs:///pictures/a", "gs:///pictures/a"),
        ("capital", "a capital in the bucket's name", "gs://Pictures/a", "gs://Pictures/a"),
        ("wildcard", "a pattern", "gs://pic*/a", "gs://pic*/a"),
        ("url", "the browser's address", "https://storage.googleapis.com/pictures/a", "https://"),
    )
    for name, wrong, address, place in addresses:
        yield CommandCase(
            id=f"import-{name}",
            wrong=f"{wrong} to import from",
            arguments=("data", "import", address),
            exit_code=USAGE,
            code="bucket-address",
            place=place,
        )
    rules = (
        ("any", "every page there is", ("--origin", "*"), "any-origin", "*"),
        ("any-too", "every page, among others", ("--origin", "https://a.example", "--origin", "*"),
         "any-origin", "*"),
        ("host", "a host for an origin", ("--origin", "a.example"), "cors-rule", "a.example"),
        ("path", "a page for an origin", ("--origin", "https://a.example/p"), "cors-rule", "/p"),
        ("empty", "a variable a script left empty", ("--origin", ""), "cors-rule", "--origin"),
        ("header", "two headers in one", ("--origin", "https://a.example", "--response-header",
         "Content-Type, ETag"), "cors-rule", "--response-header"),
        ("age", "an age below zero", ("--origin", "https://a.example", "--max-age-s", "-1"),
         "cors-rule", "--max-age-s"),
    )  # fmt: skip
    for name, wrong, options, code, place in rules:
        yield CommandCase(
            id=f"cors-{name}",
            wrong=wrong,
            arguments=("bucket", "cors", "set", "gs://pictures", *options),
            exit_code=USAGE,
            code=code,
            place=place,
        )
    yield CommandCase(
        id="cors-folder",
        wrong="a folder, whose rules there are none of",
        arguments=("bucket", "cors", "clear", "gs://pictures/a/"),
        exit_code=USAGE,
        code="bucket-address",
        place="gs://pictures/a/",
    )
    for name, wrong, value in (
        ("bucket-path", "a place in a bucket", "gs://pictures/a"),
        ("bucket-s3", "another maker's bucket", "s3://pictures"),
    ):
        yield CommandCase(
            id=f"setting-{name}",
            wrong=wrong,
            arguments=("bucket", "info"),
            exit_code=CONFIGURATION,
            code="setting-wrong",
            place="bucket",
            variables={"OPS_BUCKET": value},
        )


def _labels() -> Iterator[CommandCase]:
    for name, wrong, labels, place in (
        ("none", "nothing", "", "no label"),
        ("commas", "commas alone", " , ,", "no label"),
        ("twice", "one class twice", "brie,gouda,brie", "'brie'"),
        ("tab", "a tab in a class", "brie,gou\tda", "'gou\\tda'"),
        ("newline", "two lines", "brie\ngouda", "'brie\\ngouda'"),
        ("invisible", "a character nobody sees", "brie,gouda\u200b", "gouda"),
    ):
        yield CommandCase(
            id=f"labels-{name}",
            wrong=wrong,
            arguments=("init", "--labels", labels),
            exit_code=USAGE,
            code="labels",
            place=place,
        )


def _files() -> Iterator[CommandCase]:
    xml = b'<View><Image name="i" value="$image"/><Choices name="c" toName="%s">%s</Choices></View>'
    for name, wrong, content, exit_code, code, place in (
        ("missing", "no such file", {}, NOT_FOUND, "no-label-config", "config.xml"),
        ("folder", "a folder", {"config.xml": None}, NOT_FOUND, "no-label-config", "config.xml"),
        (
            "latin-1",
            "another encoding",
            {"config.xml": xml % (b"i", b"<!-- k\xe4se -->")},
            NOT_FOUND,
            "no-label-config",
            "config.xml",
        ),
        (
            "typo",
            "a control of nothing",
            {"config.xml": xml % (b"img", b"")},
            INVALID,
            "label-config",
            "'img'",
        ),
        ("half", "the first half", {"config.xml": xml[:40]}, INVALID, "label-config", "line 1"),
        (
            "csv",
            "another file",
            {"config.xml": b"label,count\nbrie,3\n"},
            INVALID,
            "label-config",
            "line 1",
        ),
    ):
        yield CommandCase(
            id=f"label-config-{name}",
            wrong=wrong,
            arguments=("init", "--label-config", "config.xml"),
            exit_code=exit_code,
            code=code,
            place=place,
            files=content,
        )
    yield CommandCase(
        id="label-config-and-labels",
        wrong="two ontologies",
        arguments=("init", "--label-config", "config.xml", "--labels", "brie"),
        exit_code=USAGE,
        code="two-ontologies",
        place="--label-config",
    )
    for name, wrong, content in (
        ("missing", "no such file", {}),
        ("folder", "a folder", {"keys.txt": None}),
        ("utf-16", "saved as UTF-16", {"keys.txt": "p000.png\n".encode("utf-16")}),
        ("latin-1", "another encoding", {"keys.txt": b"k\xe4se.png\n"}),
    ):
        yield CommandCase(
            id=f"tasks-file-{name}",
            wrong=wrong,
            arguments=("round", "start", "cheese", "--tasks", "keys.txt"),
            exit_code=NOT_FOUND,
            code="no-task-file",
            place="keys.txt",
            files=content,
        )


def _environment() -> Iterator[CommandCase]:
    addresses = (
        ("no-scheme", "an address without its scheme", "localhost:8000"),
        ("scheme", "another protocol", "s3://bucket"),
        ("no-host", "no host", "http://"),
        ("password", "a password in it", "http://lena:hunter2@localhost:8000"),
        ("port", "a port that is none", "http://localhost:99999"),
        ("port-words", "a port in words", "http://localhost:http"),
        ("port-zero", "port 0", "http://localhost:0"),
        ("bracket", "a bracket too few", "http://[::1:8000"),
        ("query", "a page of its UI", "http://localhost:8000/?ref=main"),
        ("space", "a space in it", "http://local host:8000"),
        ("newline", "a line's end, from a file", "http://localhost:8000\n"),
    )
    for variable, setting in (
        ("OPS_LAKEFS_URL", "lakefs.url"),
        ("LABEL_STUDIO_URL", "label_studio.url"),
    ):
        for name, wrong, address in addresses:
            yield _setting(f"{setting}-{name}", wrong, {variable: address}, setting)
    for name, wrong, seconds in (
        ("negative", "less than nothing", "-1"),
        ("float", "half a second", "0.5"),
        ("unit", "a unit", "120s"),
        ("words", "words", "two minutes"),
        ("day", "more than a day", "86401"),
        ("wide", "digits beyond ASCII", "\uff11\uff12"),
    ):
        yield _setting(f"overlap-{name}", wrong, {"OPS_SYNC_OVERLAP_S": seconds}, "sync.overlap_s")
    for name, wrong, actor in (
        ("newline", "two lines", "lena\nrita"),
        ("escape", "a terminal's escape", "lena\x1b[31m"),
        ("blank", "spaces", "   "),
    ):
        yield _setting(f"actor-{name}", wrong, {"OPS_ACTOR": actor}, "actor")
    for name, wrong, repository in (
        ("uppercase", "a capital", "Cheese"),
        ("underscore", "an underscore", "cheese_1"),
        ("dot", "a dot", "cheese.1"),
        ("slash", "a path", "team/cheese"),
        ("short", "two characters", "ab"),
        ("long", "64 characters", "c" * 64),
        ("dash", "a dash first", "-cheese"),
        ("umlaut", "a letter beyond ASCII", "käse"),
    ):
        yield _setting(f"repository-{name}", wrong, {"OPS_REPOSITORY": repository}, "repository")


def _setting(name: str, wrong: str, variables: Mapping[str, str], place: str) -> CommandCase:
    return CommandCase(
        id=f"setting-{name}",
        wrong=wrong,
        arguments=("config", "show"),
        exit_code=CONFIGURATION,
        code="setting-wrong",
        place=place,
        variables=variables,
    )


def _settings_files() -> Iterator[CommandCase]:
    for name, wrong, content, place in (
        ("yaml", "another format", b"lakefs:\n  url: http://localhost\n", "line 1"),
        ("twice", "a setting twice", b"repository = 'a-b'\nrepository = 'c-d'\n", "line 2"),
        ("open", "a text that does not end", b"repository = 'cheese\n", "ops.toml"),
        ("latin-1", "another encoding", b"actor = 'k\xe4the'\n", "ops.toml"),
        ("utf-16", "saved as UTF-16", "actor = 'lena'\n".encode("utf-16"), "ops.toml"),
        ("deep", "tables too deep", b"a = " + b"[" * 5000 + b"]" * 5000, "ops.toml"),
        (
            "unknown",
            "a setting there is not",
            b"[lakefs]\nuri = 'http://localhost'\n",
            "lakefs.uri",
        ),
        ("typo", "a letter too few", b"repositry = 'cheese'\n", "did you mean repository?"),
        (
            "secret",
            "a secret in git",
            b"[lakefs]\nsecret_access_key = 'hunter2'\n",
            "lakefs.secret_access_key",
        ),
        ("token", "a token in git", b"[label_studio]\ntoken = 'hunter2'\n", "label_studio.token"),
        ("list", "a list for a text", b"repository = ['cheese']\n", "repository"),
        ("bool", "a bit for a number", b"[sync]\noverlap_s = true\n", "sync.overlap_s"),
        ("float", "half a second", b"[sync]\noverlap_s = 0.5\n", "sync.overlap_s"),
        ("date", "a date for a person", b"actor = 2026-11-21\n", "actor"),
        ("table", "a table for a text", b"[repository]\nname = 'cheese'\n", "repository.name"),
        ("nested", "a table in a table", b"[lakefs.url]\nhost = 'localhost'\n", "lakefs.url"),
        ("value", "a text for a table", b"lakefs = 'http://localhost'\n", "lakefs"),
    ):
        yield CommandCase(
            id=f"ops-toml-{name}",
            wrong=wrong,
            arguments=("config", "show"),
            exit_code=CONFIGURATION,
            code="settings-file",
            place=place,
            files={"ops.toml": content},
        )
    yield CommandCase(
        id="ops-toml-folder",
        wrong="a folder",
        arguments=("config", "show"),
        exit_code=CONFIGURATION,
        code="settings-file",
        place="ops.toml",
        files={"ops.toml": None},
    )
    for name, wrong, content, place in (
        ("empty", "an empty value", b"repository = ''\n", "repository"),
        ("wrong", "a name that is none", b"repository = 'My Cheese'\n", "repository"),
        ("url", "no address", b"[lakefs]\nurl = 'localhost'\n", "lakefs.url"),
        ("seconds", "too many seconds", b"[sync]\noverlap_s = 1000000\n", "sync.overlap_s"),
    ):
        yield CommandCase(
            id=f"ops-toml-value-{name}",
            wrong=wrong,
            arguments=("config", "show"),
            exit_code=CONFIGURATION,
            code="setting-wrong",
            place=place,
            files={"ops.toml": content},
        )


def cases() -> Iterator[CommandCase]:
    """Every bad command."""
    yield from _options()
    yield from _buckets()
    yield from _labels()
    yield from _files()
    yield from _environment()
    yield from _settings_files()
