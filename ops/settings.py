"""Settings: where each value comes from, and what to do about a wrong one.

Sources, first one wins: flags > environment > ops.toml > the stack in use (secrets/ops.toml) > the
running local servers > defaults. The credentials of a stack and of the local servers go with
their own addresses only, never to another server. Owns names, defaults and checks of settings. Does
not talk to any server, and never shows a secret.
"""

import getpass
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn, TypeAlias, cast
from urllib.parse import SplitResult, urlsplit

from ops.errors import ConfigurationError

FILE_NAME = "ops.toml"
HOME_NAME = ".ops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One setting.

    Attributes:
        variables: its environment variables, in order of precedence.
        default: what it is where nothing gives it.
        problem: what is wrong with a value, or None.
        normal: the form in which a value without a problem is used.
    """

    name: str
    variables: tuple[str, ...]
    help: str
    default: str | None = None
    is_secret: bool = False
    problem: Callable[[str], str | None] = lambda _: None
    normal: Callable[[str], str] = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One value and where it came from. `shown` masks a secret."""

    name: str
    value: str | None
    source: str
    is_secret: bool

    @property
    def shown(self) -> str:
        """The value as it may be printed."""
        if self.value is None:
            return "(not set)"
        return "********" if self.is_secret else self.value


def _url_problem(value: str) -> str | None:
    parts = _split(value)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        return "must be an http:// or https:// address"
    if parts.username is not None or parts.password is not None:
        return "must not carry credentials; use the settings for them"
    if parts.query or parts.fragment or any(c.isspace() for c in value):
        return "must be an address without spaces, ? and #"
    return None


def _normal_url(value: str) -> str:
    """Without a slash at the end; lakectl's own variable may carry `/api/v1`, too."""
    return value.rstrip("/").removesuffix("/api/v1").rstrip("/")


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # A bracket too few, or a port that is none.
        return None
    return parts if port != 0 else None


def _ray_problem(value: str) -> str | None:
    parts = _split(value)
    if value == "local" or (
        parts is not None
        and parts.scheme == "ray"
        and parts.hostname
        and parts.port
        and _normal_url(value) == f"ray://{parts.hostname}:{parts.port}"
    ):
        return None
    return "must be the address of Ray's client server, as ray://127.0.0.1:10001, or local"


def _repository_problem(value: str) -> str | None:
    fits = 3 <= len(value) <= 63 and value[0].isalnum()  # noqa: PLR2004 - lakeFS's own limits
    if fits and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in value):
        return None
    return "must be 3 to 63 of a-z, 0-9 and -, starting with a letter or digit"


_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


def _bucket_problem(value: str) -> str | None:
    """Google's own rule of a name's letters; what else it asks is known when the bucket is."""
    if _BUCKET.fullmatch(_normal_bucket(value)):
        return None
    return "must be a bucket's name, of a-z, 0-9, '-', '_' and '.', without a path"


def _normal_bucket(value: str) -> str:
    """Without the `gs://` that other tools write before it."""
    return value.removeprefix("gs://").removesuffix("/")


_MOST_SECONDS = 86_400


def _seconds_problem(value: str) -> str | None:
    fits = value.isascii() and value.isdigit() and len(value) <= len(str(_MOST_SECONDS))
    if fits and int(value) <= _MOST_SECONDS:
        return None
    return f"must be a whole number of seconds, 0 to {_MOST_SECONDS}"


def _line_problem(value: str) -> str | None:
    """Commit metadata and card rows are lines."""
    return None if value.isprintable() else "must be one line of printable characters"


SPECS: tuple[Spec, ...] = (
    Spec(
        name="repository",
        variables=("OPS_REPOSITORY",),
        help="the lakeFS repository that holds the dataset",
        default="dataset",
        problem=_repository_problem,
    ),
    Spec(
        name="actor",
        variables=("OPS_ACTOR",),
        help="who is named in commits and manifests; lakeFS itself has one user only",
        problem=_line_problem,
    ),
    Spec(
        name="storage_namespace",
        variables=("OPS_STORAGE_NAMESPACE",),
        help="where lakeFS puts the repository's objects, as gs://bucket/prefix; used by init; "
        "{repository} in it stands for the repository's name",
    ),
    Spec(
        name="bucket",
        variables=("OPS_BUCKET",),
        help="the Google Cloud Storage bucket that `ops bucket` looks at",
        problem=_bucket_problem,
        normal=_normal_bucket,
    ),
    Spec(
        name="lakefs.url",
        variables=("OPS_LAKEFS_URL", "LAKECTL_SERVER_ENDPOINT_URL"),
        help="lakeFS's address",
        problem=_url_problem,
        normal=_normal_url,
    ),
    Spec(
        name="lakefs.access_key_id",
        variables=("OPS_LAKEFS_ACCESS_KEY_ID", "LAKECTL_CREDENTIALS_ACCESS_KEY_ID"),
        help="lakeFS access key id",
    ),
    Spec(
        name="lakefs.secret_access_key",
        variables=("OPS_LAKEFS_SECRET_ACCESS_KEY", "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY"),
        help="lakeFS secret access key",
        is_secret=True,
    ),
    Spec(
        name="lakefs.binary",
        variables=("OPS_LAKEFS_BINARY",),
        help="the lakefs executable `ops local` runs; found or built where it is not set",
    ),
    Spec(
        name="label_studio.url",
        variables=("OPS_LABEL_STUDIO_URL", "LABEL_STUDIO_URL"),
        help="Label Studio's address",
        problem=_url_problem,
        normal=_normal_url,
    ),
    Spec(
        name="label_studio.token",
        variables=("OPS_LABEL_STUDIO_TOKEN", "LABEL_STUDIO_API_KEY"),
        help="Label Studio personal access token",
        is_secret=True,
    ),
    Spec(
        name="cache_dir",
        variables=("OPS_CACHE_DIR",),
        help="where media once read are kept, by digest; labeling-ops in the user's cache "
        "directory where it is not set",
    ),
    Spec(
        name="clip_path",
        variables=("OPS_CLIP_PATH",),
        help="a directory with the model that `--text` compares pictures by, its two halves in "
        "text/ and vision/; downloaded once where it is not set",
    ),
    Spec(
        name="ray.address",
        variables=("OPS_RAY_ADDRESS",),
        help="the Ray cluster `--engine ray` works on, as ray://host:port; this machine where it "
        "is not set, or is local",
        problem=_ray_problem,
        normal=_normal_url,
    ),
    Spec(
        name="ray.token",
        variables=("OPS_RAY_TOKEN", "RAY_AUTH_TOKEN"),
        help="what the Ray cluster lets in",
        is_secret=True,
    ),
    Spec(
        name="ray.lakefs_url",
        variables=("OPS_RAY_LAKEFS_URL",),
        help="lakeFS's address as the Ray cluster's workers reach it; lakefs.url where it is not "
        "set",
        problem=_url_problem,
        normal=_normal_url,
    ),
    Spec(
        name="sync.overlap_s",
        variables=("OPS_SYNC_OVERLAP_S",),
        help="how far before the newest change seen a sync looks again, in seconds",
        default="120",
        problem=_seconds_problem,
    ),
)
_BY_NAME = {spec.name: spec for spec in SPECS}
_GOES_WITH = {
    "storage_namespace": "lakefs.url",
    "bucket": "lakefs.url",
    "ray.address": "lakefs.url",
    "ray.token": "ray.address",
    "ray.lakefs_url": "ray.address",
}
"""Whose address a setting without a server's name belongs to."""
_STACKS = (
    "start the local servers with: ops local up",
    "use those of a Pulumi stack with: ops config use --stack NAME",
)
_NOT_OF_A_STACK = frozenset(
    {"actor", "storage_namespace", "bucket", "cache_dir", "lakefs.binary", "ray.token"}
)


class Settings:
    """Every setting with its source; values are read by name."""

    def __init__(self, settings: Mapping[str, Setting], home: Path) -> None:
        self._settings = settings
        self.home = home

    def all(self) -> tuple[Setting, ...]:
        """Every setting, in the order they are documented."""
        return tuple(self._settings[spec.name] for spec in SPECS)

    def find(self, name: str) -> str | None:
        """A setting's value, or None where nothing gives it."""
        return self._settings[name].value

    def need(self, name: str) -> str:
        """A setting's value.

        Raises:
            ConfigurationError: nothing gives it; the error says every way to.
        """
        value = self._settings[name].value
        if value is not None:
            return value
        spec = _BY_NAME[name]
        ways: list[str] = [] if name in _NOT_OF_A_STACK else [*_STACKS]
        ways.append(f"set {spec.variables[0]}")
        ways += [] if spec.is_secret else [f"write {name} into {FILE_NAME}"]
        raise ConfigurationError(
            "setting-missing",
            f"{name} is not set: {spec.help}",
            subject=name,
            unchanged="nothing was read or written",
            hint="\nor ".join(ways),
        )


_Source: TypeAlias = tuple[Callable[[Spec], str], Mapping[str, str]]
Named: TypeAlias = tuple[str, Mapping[str, str]]
"""What a source is called, and its values by setting name."""


def _no_stack(_: Path) -> Named | None:
    return None


def load(
    *,
    flags: Mapping[str, str],
    environment: Mapping[str, str],
    directory: Path,
    local: Callable[[Path], Mapping[str, str]],
    stack: Callable[[Path], Named | None] = _no_stack,
) -> Settings:
    """Gather every setting from its first source. Reads a few small files; no request.

    Args:
        flags: values given on the command line, by setting name.
        environment: the environment variables.
        directory: where ops.toml and .ops/ are looked for.
        local: gives what the local stack below `.ops/` knows, by setting name; empty where there is
            none.
        stack: gives what is remembered in a directory of the stack in use, or None.

    Raises:
        ConfigurationError: a value is not what its setting takes, ops.toml cannot be read, holds a
            name no setting has, or a secret. The source is named.
    """
    home = directory / HOME_NAME
    sources: list[_Source] = [
        (lambda spec: f"--{spec.name.replace('_', '-').replace('.', '-')}", flags),
        (lambda spec: _variable(spec, environment) or "", _from_environment(environment)),
        (lambda _: str(directory / FILE_NAME), _from_file(directory / FILE_NAME)),
    ]
    stated = {name: value for _, values in reversed(sources) for name, value in values.items()}
    stack_name, stacked = stack(directory) or ("", {})
    of_stack = _of_own_servers(stacked, stated)
    fallbacks: list[_Source] = [
        (lambda _: stack_name, of_stack),
        (lambda _: "the local stack", _of_own_servers(local(home), {**of_stack, **stated})),
        (lambda _: "default", _defaults()),
    ]
    found: dict[str, Setting] = {}
    for spec in SPECS:
        hits = ((say, v[spec.name]) for say, v in [*sources, *fallbacks] if spec.name in v)
        hit = next(((say(spec), value) for say, value in hits), None)
        source, value = hit or ("nowhere", None)
        if value is not None and (problem := _problem(spec, value)):
            _refuse_value(spec, value, source, problem)
        found[spec.name] = Setting(
            name=spec.name,
            value=None if value is None else spec.normal(value),
            source=source,
            is_secret=spec.is_secret,
        )
    found["storage_namespace"] = _named_for(found["storage_namespace"], found["repository"])
    return Settings(found, home)


def _named_for(namespace: Setting, repository: Setting) -> Setting:
    """No two repositories may share a storage namespace, so its name may stand in it."""
    if namespace.value is None:
        return namespace
    named = namespace.value.replace("{repository}", repository.value or "")
    return replace(namespace, value=named)


def _problem(spec: Spec, value: str) -> str | None:
    return spec.problem(value) if value.strip() else "must not be empty"


def _of_own_servers(local: Mapping[str, str], stated: Mapping[str, str]) -> Mapping[str, str]:
    """What a stack says of each of its servers, unless a source before it names another address."""

    def is_own(name: str) -> bool:
        address = _GOES_WITH.get(name, name.partition(".")[0] + ".url")
        said = stated.get(address, local.get(address, ""))
        return _normal_url(said) == _normal_url(local.get(address, ""))

    return {name: value for name, value in local.items() if is_own(name)}


def _refuse_value(spec: Spec, value: str, source: str, problem: str) -> NoReturn:
    # An address may have been given with a password in it.
    shown = "its value" if spec.is_secret or "@" in value else repr(value)
    raise ConfigurationError(
        "setting-wrong",
        f"{spec.name}: {shown} {problem}",
        subject=spec.name,
        where=(("source", source),),
        unchanged="nothing was read or written",
        hint=f"correct it in {source}" if source != "default" else f"set {spec.variables[0]}",
    )


def _variable(spec: Spec, environment: Mapping[str, str]) -> str | None:
    return next((name for name in spec.variables if environment.get(name)), None)


def _from_environment(environment: Mapping[str, str]) -> Mapping[str, str]:
    named = {spec.name: _variable(spec, environment) for spec in SPECS}
    return {name: environment[variable] for name, variable in named.items() if variable}


def _defaults() -> Mapping[str, str]:
    defaults = {spec.name: spec.default for spec in SPECS if spec.default is not None}
    try:
        return {"actor": getpass.getuser(), **defaults}
    except (OSError, KeyError, ImportError):
        # A container's user may have no name.
        return defaults


def _from_file(path: Path) -> Mapping[str, str]:
    if not path.exists():
        return {}
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        _refuse_file(path, f"cannot be read: {error.strerror}", error)
    except (ValueError, RecursionError) as error:
        # Not UTF-8, not TOML, or numbers and nesting beyond Python's limits.
        _refuse_file(path, f"is not TOML: {error}", error)
    values: dict[str, str] = {}
    for name, value in _flatten(document).items():
        spec = _BY_NAME.get(name)
        if spec is None:
            close = get_close_matches(name, _BY_NAME)
            known = f"; did you mean {close[0]}?" if close else ""
            _refuse_file(path, f"there is no setting {name!r}{known}")
        if spec.is_secret:
            _refuse_file(path, f"{name} is a secret and this file is kept in git")
        if isinstance(value, bool) or not isinstance(value, str | int):
            _refuse_file(path, f"{name} must be a text or a whole number")
        values[name] = str(value)
    return values


def _flatten(document: Mapping[str, object]) -> Mapping[str, object]:
    flat: dict[str, object] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            inner = cast("Mapping[str, object]", value)
            flat.update({f"{name}.{key}": item for key, item in inner.items()})
        else:
            flat[name] = value
    return flat


def _refuse_file(path: Path, problem: str, cause: Exception | None = None) -> NoReturn:
    raise ConfigurationError(
        "settings-file",
        f"{path.name}: {problem}",
        subject=str(path),
        unchanged="nothing was read or written",
        hint=f"edit {path}; every setting is in docs/reference/settings.md",
    ) from cause
