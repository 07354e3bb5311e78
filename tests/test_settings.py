"""Settings: the first source wins, wrong values name their source, secrets stay secret."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.errors import ConfigurationError
from ops.settings import SPECS, Settings, Spec, load

FITTING = {
    "repository": ("flagged", "exported", "written", "stacked"),
    "actor": ("ann", "ben", "cleo", "dan"),
    "storage_namespace": ("gs://a/1", "gs://b/2", "gs://c/3", "gs://d/4"),
    "bucket": ("pictures-a", "pictures-b", "pictures-c", "pictures-d"),
    "lakefs.url": ("http://a:1", "http://b:2", "https://c", "http://d:4/lake"),
    "lakefs.access_key_id": ("KEY1", "KEY2", "KEY3", "KEY4"),
    "lakefs.secret_access_key": ("hush1", "hush2", "hush3", "hush4"),
    "lakefs.binary": ("/a/lakefs", "/b/lakefs", "/c/lakefs", "/d/lakefs"),
    "label_studio.url": ("http://a:5", "http://b:6", "https://g", "http://d:8"),
    "label_studio.token": ("token1", "token2", "token3", "token4"),
    "cache_dir": ("/a/cache", "/b/cache", "~/cache", "cache"),
    "clip_path": ("/a/clip", "/b/clip", "~/clip", "clip"),
    "ray.address": ("ray://a:1", "ray://b:2", "ray://127.0.0.1:10001", "local"),
    "ray.token": ("ray1", "ray2", "ray3", "ray4"),
    "ray.lakefs_url": ("http://a:9", "http://b:9", "https://c", "http://lakefs:8000"),
    "sync.overlap_s": ("1", "2", "3", "4"),
}
"""A value a source for each setting: flag, environment, ops.toml, local stack."""

WRONG = [
    ("ray.address", "127.0.0.1:10001"),
    ("ray.address", "ray://head"),
    ("ray.address", "ray://head:10001/path"),
    ("ray.address", "ray://ann:hush@head:10001"),
    ("ray.address", "http://head:10001"),
    ("ray.lakefs_url", "lakefs:8000"),
    ("repository", "ab"),
    ("repository", "-leading"),
    ("repository", "UPPER"),
    ("repository", "x" * 64),
    ("repository", "with_underscore"),
    ("repository", "ünder"),
    ("actor", " \t"),
    ("actor", "two\nlines"),
    ("actor", "bell\x07"),
    ("bucket", "s3://pictures"),
    ("bucket", "gs://pictures/below"),
    ("bucket", "Pictures"),
    ("bucket", "ab"),
    ("lakefs.url", "localhost:8000"),
    ("lakefs.url", "ftp://lake"),
    ("lakefs.url", "http://"),
    ("lakefs.url", "http://[::1"),
    ("lakefs.url", "http://lake:99999"),
    ("lakefs.url", "http://lake:port"),
    ("lakefs.url", "http://lake/?x=1"),
    ("lakefs.url", "http://lake/#x"),
    ("lakefs.url", "http://la ke"),
    ("label_studio.url", "studio"),
    ("label_studio.token", "  "),
    ("sync.overlap_s", "-1"),
    ("sync.overlap_s", "1.5"),
    ("sync.overlap_s", "soon"),
    ("sync.overlap_s", "²"),
    ("sync.overlap_s", "86401"),
    ("sync.overlap_s", "9" * 5000),
]


def _spec(name: str) -> Spec:
    return next(spec for spec in SPECS if spec.name == name)


def _load(
    directory: Path,
    *,
    flags: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    file: str | None = None,
    local: Mapping[str, str] | None = None,
) -> Settings:
    if file is not None:
        (directory / "ops.toml").write_text(file, "utf-8")
    return load(
        flags=flags or {},
        environment=environment or {},
        directory=directory,
        local=lambda _: local or {},
    )


def _toml(name: str, value: str) -> str:
    section, _, key = name.rpartition(".")
    return f"[{section}]\n{key} = '{value}'\n" if section else f"{key} = '{value}'\n"


def _option(name: str) -> str:
    return "--" + name.replace("_", "-").replace(".", "-")


def _source(settings: Settings, name: str) -> str:
    return next(setting.source for setting in settings.all() if setting.name == name)


def test_every_setting_has_example_values() -> None:
    """The tables of this file cover what there is."""
    assert list(FITTING) == [spec.name for spec in SPECS]


@pytest.mark.parametrize("name", FITTING)
def test_flags_win_over_environment_over_file_over_stack(name: str, tmp_path: Path) -> None:
    """Each source taken away gives way to the next; the value's source is said."""
    flag, exported, written, stacked = FITTING[name]
    spec = _spec(name)
    variable = spec.variables[0]
    file = "" if spec.is_secret else _toml(name, written)
    local = {name: stacked}

    def found(flags: Mapping[str, str], environment: Mapping[str, str]) -> tuple[str | None, str]:
        settings = _load(tmp_path, flags=flags, environment=environment, file=file, local=local)
        return settings.find(name), _source(settings, name)

    assert found({name: flag}, {variable: exported}) == (flag, _option(name))
    assert found({}, {variable: exported}) == (exported, variable)
    if not spec.is_secret:
        assert found({}, {}) == (written, str(tmp_path / "ops.toml"))
    file = ""
    assert found({}, {}) == (stacked, "the local stack")
    local = {}
    value, source = found({}, {})
    if spec.default is not None:
        assert (value, source) == (spec.default, "default")
    elif name != "actor":
        assert (value, source) == (None, "nowhere")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("lakefs.url", "LAKECTL_SERVER_ENDPOINT_URL"),
        ("lakefs.access_key_id", "LAKECTL_CREDENTIALS_ACCESS_KEY_ID"),
        ("lakefs.secret_access_key", "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY"),
        ("label_studio.url", "LABEL_STUDIO_URL"),
        ("label_studio.token", "LABEL_STUDIO_API_KEY"),
    ],
)
def test_the_services_own_variables_are_understood_after_ours(
    name: str, variable: str, tmp_path: Path
) -> None:
    """`LAKECTL_…` and `LABEL_STUDIO_…` work, and `OPS_…` wins over them; an empty one is none."""
    own = _spec(name).variables[0]
    theirs, ours = FITTING[name][0], FITTING[name][1]
    settings = _load(tmp_path, environment={variable: theirs})
    assert (settings.find(name), _source(settings, name)) == (theirs, variable)
    settings = _load(tmp_path, environment={variable: theirs, own: ours})
    assert (settings.find(name), _source(settings, name)) == (ours, own)
    settings = _load(tmp_path, environment={variable: theirs, own: ""})
    assert (settings.find(name), _source(settings, name)) == (theirs, variable)


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_names_its_source(name: str, value: str, tmp_path: Path) -> None:
    """From a flag, the environment, the file or the stack: refused, and the source is told."""
    spec = _spec(name)
    variable = spec.variables[0]
    ways: list[tuple[Callable[[], Settings], str]] = [
        (lambda: _load(tmp_path, flags={name: value}), _option(name)),
        (lambda: _load(tmp_path, environment={variable: value}), variable),
        (lambda: _load(tmp_path, local={name: value}), "the local stack"),
    ]
    for load_it, source in ways:
        with pytest.raises(ConfigurationError) as caught:
            load_it()
        error = caught.value
        assert (error.code, error.subject) == ("setting-wrong", name)
        assert ("source", source) in error.where
        assert source in error.hint


@pytest.mark.parametrize(
    ("name", "value"), [w for w in WRONG if w[1].isprintable() and not _spec(w[0]).is_secret]
)
def test_a_wrong_value_in_the_file_names_the_file(name: str, value: str, tmp_path: Path) -> None:
    """The path of ops.toml is in the error."""
    with pytest.raises(ConfigurationError) as caught:
        _load(tmp_path, file=_toml(name, value))
    assert ("source", str(tmp_path / "ops.toml")) in caught.value.where


MALFORMED_FILES = [
    ("unknown name", "colour = 'red'\n"),
    ("unknown name in a section", "[lakefs]\nport = 8000\n"),
    ("unknown section", "[lakfs]\nurl = 'http://a'\n"),
    ("a setting as a section", "[repository]\nname = 'x'\n"),
    ("a section as a setting", "lakefs = 'http://a'\n"),
    ("too deep", "[lakefs.url]\nhost = 'a'\n"),
    ("true for a text", "actor = true\n"),
    ("false for seconds", "[sync]\noverlap_s = false\n"),
    ("a float for seconds", "[sync]\noverlap_s = 1.5\n"),
    ("a list", "repository = ['a', 'b']\n"),
    ("a date", "actor = 2026-11-21\n"),
    ("a secret", "[lakefs]\nsecret_access_key = 'hush'\n"),
    ("a token", "[label_studio]\ntoken = 'hush'\n"),
    ("no TOML", "repository: dataset\n"),
    ("an unclosed text", "repository = 'dataset\n"),
    ("a name twice", "actor = 'a'\nactor = 'b'\n"),
    ("a number of too many digits", f"[sync]\noverlap_s = {'9' * 5000}\n"),
    ("nested too deeply", f"repository = {'[' * 50_000}\n"),
]


@pytest.mark.parametrize(
    "file", [f for _, f in MALFORMED_FILES], ids=[n for n, _ in MALFORMED_FILES]
)
def test_a_malformed_file_is_refused(file: str, tmp_path: Path) -> None:
    """The file is named and the secret in it is not shown."""
    with pytest.raises(ConfigurationError) as caught:
        _load(tmp_path, file=file)
    error = caught.value
    assert error.code == "settings-file"
    assert error.subject == str(tmp_path / "ops.toml")
    assert "hush" not in error.message + error.hint


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are not UTF-8."""
    (tmp_path / "ops.toml").write_bytes(b"actor = '\xff'\n")
    with pytest.raises(ConfigurationError, match="not TOML"):
        _load(tmp_path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A directory of that name."""
    (tmp_path / "ops.toml").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        _load(tmp_path)


def test_a_misspelt_name_is_recognised(tmp_path: Path) -> None:
    """The error says which setting was meant."""
    with pytest.raises(ConfigurationError, match=r"did you mean lakefs\.url\?"):
        _load(tmp_path, file="[lakfs]\nurl = 'http://a'\n")


def test_a_whole_number_may_stand_bare_in_the_file(tmp_path: Path) -> None:
    """TOML's 30 and '30' are the same setting."""
    assert _load(tmp_path, file="[sync]\noverlap_s = 30\n").find("sync.overlap_s") == "30"


def test_a_missing_setting_says_how_to_give_it(tmp_path: Path) -> None:
    """Every way is in the hint; the stack only where it would help, ops.toml only where allowed."""
    settings = _load(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        settings.need("lakefs.url")
    assert caught.value.code == "setting-missing"
    assert "ops local up" in caught.value.hint
    assert "OPS_LAKEFS_URL" in caught.value.hint
    assert "ops.toml" in caught.value.hint
    with pytest.raises(ConfigurationError) as caught:
        settings.need("label_studio.token")
    assert "ops.toml" not in caught.value.hint
    with pytest.raises(ConfigurationError) as caught:
        settings.need("lakefs.binary")
    assert "ops local up" not in caught.value.hint


@pytest.mark.parametrize("name", [spec.name for spec in SPECS if spec.is_secret])
def test_secrets_are_masked(name: str, tmp_path: Path) -> None:
    """`shown` never holds the value, and says when there is none."""
    secret = FITTING[name][0]
    found = _load(tmp_path, environment={_spec(name).variables[0]: secret})
    assert found.need(name) == secret
    assert [s.shown for s in found.all() if s.name == name] == ["********"]
    assert [s.shown for s in _load(tmp_path).all() if s.name == name] == ["(not set)"]


def test_a_password_in_an_address_is_refused_and_not_repeated(tmp_path: Path) -> None:
    """Addresses are shown in errors and output; credentials have settings of their own."""
    with pytest.raises(ConfigurationError) as caught:
        _load(tmp_path, environment={"OPS_LAKEFS_URL": "https://ann:hush@lake.example.org"})
    assert "must not carry credentials" in caught.value.message
    assert "hush" not in caught.value.message


STACK = {
    "lakefs.url": "http://127.0.0.1:4711",
    "lakefs.access_key_id": "LOCALKEY",
    "lakefs.secret_access_key": "local-hush",
    "label_studio.url": "http://127.0.0.1:4712",
    "label_studio.token": "local-token",
}


def test_the_local_stacks_credentials_go_to_no_other_server(tmp_path: Path) -> None:
    """An address from elsewhere takes the stack's credentials out of that server's settings."""
    found = _load(tmp_path, local=STACK, environment={"OPS_LAKEFS_URL": "https://lake.example.org"})
    assert found.find("lakefs.access_key_id") is None
    assert found.find("lakefs.secret_access_key") is None
    assert found.find("label_studio.token") == "local-token"


def test_the_address_in_force_decides_whose_credentials_go_there(tmp_path: Path) -> None:
    """The environment's, though ops.toml names the stack's own."""
    found = _load(
        tmp_path,
        local=STACK,
        file=_toml("lakefs.url", STACK["lakefs.url"]),
        environment={"OPS_LAKEFS_URL": "https://lake.example.org"},
    )
    assert found.find("lakefs.url") == "https://lake.example.org"
    assert found.find("lakefs.secret_access_key") is None


@pytest.mark.parametrize("end", ["", "/", "/api/v1", "/api/v1/"])
def test_an_address_is_used_in_one_form(end: str, tmp_path: Path) -> None:
    """Lakectl's variable may name the API's root; pages of the UI are below the server's."""
    environment = {"LAKECTL_SERVER_ENDPOINT_URL": f"https://example.org/lake{end}"}
    found = _load(tmp_path, environment=environment)
    assert found.need("lakefs.url") == "https://example.org/lake"


def test_the_local_stacks_own_address_from_elsewhere_keeps_its_credentials(tmp_path: Path) -> None:
    """The same server, named twice."""
    found = _load(tmp_path, local=STACK, environment={"OPS_LAKEFS_URL": STACK["lakefs.url"] + "/"})
    assert found.find("lakefs.secret_access_key") == "local-hush"


@given(st.text(max_size=80))
def test_any_text_is_a_repository_name_or_refused(name: str) -> None:
    """What is let through is what lakeFS takes: `^[a-z0-9][a-z0-9-]{2,62}$`."""
    fits = (
        3 <= len(name) <= 63
        and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        and not name.startswith("-")
    )
    assert (_spec("repository").problem(name) is None) is fits


@given(st.text(max_size=40), st.sampled_from(["", "http://", "https://"]))
def test_any_text_is_an_address_or_refused(text: str, scheme: str) -> None:
    """No text makes the check itself fail."""
    problem = _spec("lakefs.url").problem(scheme + text)
    assert problem is None or problem.startswith("must")


def test_a_stack_stands_between_the_file_and_the_local_servers(tmp_path: Path) -> None:
    """Its credentials go with its addresses, and the local servers' no longer with theirs."""
    stack = {
        "lakefs.url": "http://127.0.0.1:18000",
        "lakefs.secret_access_key": "stack-hush",
        "storage_namespace": "gs://data/lakefs/{repository}",
    }

    def found(file: str, environment: Mapping[str, str]) -> Settings:
        (tmp_path / "ops.toml").write_text(file)
        return load(
            flags={},
            environment=environment,
            directory=tmp_path,
            local=lambda _: STACK,
            stack=lambda _: ("stack dev", stack),
        )

    settings = found("repository = 'cheese'\n", {})
    assert settings.find("lakefs.url") == "http://127.0.0.1:18000"
    assert _source(settings, "lakefs.url") == "stack dev"
    assert settings.find("lakefs.secret_access_key") == "stack-hush"
    assert settings.find("storage_namespace") == "gs://data/lakefs/cheese"
    # What the stack does not give is not made up from another server's.
    assert settings.find("lakefs.access_key_id") is None
    assert settings.find("label_studio.token") == "local-token"
    elsewhere = found(_toml("lakefs.url", "https://lake.example.org"), {})
    assert elsewhere.find("lakefs.secret_access_key") is None
    assert elsewhere.find("storage_namespace") is None
    same = found("", {"OPS_LAKEFS_URL": "http://127.0.0.1:18000/"})
    assert same.find("lakefs.secret_access_key") == "stack-hush"


def test_a_wrong_value_of_a_stack_names_the_stack(tmp_path: Path) -> None:
    """As every other source."""
    with pytest.raises(ConfigurationError) as caught:
        load(
            flags={},
            environment={},
            directory=tmp_path,
            local=lambda _: {},
            stack=lambda _: ("stack dev", {"lakefs.url": "nowhere"}),
        )
    assert ("source", "stack dev") in caught.value.where
