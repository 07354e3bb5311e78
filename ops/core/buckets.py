"""Buckets of Google Cloud Storage: addresses, settings, and which settings are unsafe for labels.

Owns what a bucket's settings mean for a dataset in it. Asks no bucket anything (ops/bucket.py).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ops.core.records import Json
from ops.errors import UsageError

SCHEME = "gs://"
ANY_ORIGIN = "*"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_ORIGIN = re.compile(r"https?://[^/\s?#@]+")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_LONGEST_AGE_S = 86_400
_NOTHING = "nothing was read or written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A place in a bucket; `name` is an object's, or the beginning of several, or empty."""

    bucket: str
    name: str

    def __str__(self) -> str:
        """As it is written: `gs://bucket/name`."""
        return f"{SCHEME}{self.bucket}/{self.name}"


def parse_address(text: str) -> Address:
    """The inverse of `str(Address)`; the slash after the bucket's name may be missing.

    Raises:
        UsageError: it is no gs:// address, or no bucket can have the name.
    """
    bucket, _, name = text.removeprefix(SCHEME).partition("/")
    if text.startswith(SCHEME) and _NAME.fullmatch(bucket):
        return Address(bucket=bucket, name=name)
    raise UsageError(
        "bucket-address",
        f"{text!r} is no place in a bucket",
        subject=text,
        unchanged=_NOTHING,
        hint="write gs://BUCKET or gs://BUCKET/FOLDER/; a bucket's name is of a-z, 0-9, - _ and .",
    )


class Method(StrEnum):
    """What a browser may ask of another origin."""

    GET = "GET"
    HEAD = "HEAD"
    OPTIONS = "OPTIONS"
    PUT = "PUT"
    POST = "POST"
    PATCH = "PATCH"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsRule:
    """What pages of some origins may do with a bucket's objects.

    Attributes:
        origins: as `https://labels.example.org`, or `*` for every page there is.
        response_headers: headers a page may read, and send.
        max_age_s: how long a browser may remember the answer; None where the bucket does not say.
    """

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    response_headers: tuple[str, ...] = ()
    max_age_s: int | None = None

    @classmethod
    def of(cls, stated: Mapping[str, Json]) -> "CorsRule":
        """The rule that a bucket states in Google's form."""
        age = stated.get("maxAgeSeconds")
        return cls(
            origins=texts(stated.get("origin")),
            methods=texts(stated.get("method")),
            response_headers=texts(stated.get("responseHeader")),
            max_age_s=None if age is None else int(str(age)),
        )

    def as_json(self) -> dict[str, Json]:
        """The rule in Google's form."""
        stated: dict[str, Json] = {
            "origin": list(self.origins),
            "method": list(self.methods),
            "responseHeader": list(self.response_headers),
        }
        return stated if self.max_age_s is None else {**stated, "maxAgeSeconds": self.max_age_s}

    @property
    def in_words(self) -> str:
        """As `https://a.example: GET, HEAD; headers Content-Type; 3600 s`."""
        parts = [
            f"{', '.join(self.origins) or 'no origin'}: {', '.join(self.methods) or 'nothing'}"
        ]
        if self.response_headers:
            parts.append(f"headers {', '.join(self.response_headers)}")
        if self.max_age_s is not None:
            parts.append(f"{self.max_age_s} s")
        return "; ".join(parts)


def check_cors(rule: CorsRule, *, allow_any_origin: bool) -> CorsRule:
    """Give the rule back, each thing once, if it can be set and opens no more than was meant.

    Raises:
        UsageError: an origin is no origin, or is `*` unasked; a header is none; or the age is none
            a browser heeds.
    """
    origins = tuple(dict.fromkeys(origin.rstrip("/") for origin in rule.origins))
    if ANY_ORIGIN in origins and not allow_any_origin:
        raise UsageError(
            "any-origin",
            "origin * lets every page on the web read what its visitor can read of the bucket",
            subject=ANY_ORIGIN,
            unchanged=_NOTHING,
            hint="name Label Studio's own: --origin https://labels.example.org\n"
            "or say that it is meant: --allow-any-origin",
        )
    for origin in origins:
        if origin != ANY_ORIGIN and not _ORIGIN.fullmatch(origin):
            _refuse("--origin", f"{origin!r} is no origin", "https://labels.example.org")
    for header in rule.response_headers:
        if not _HEADER.fullmatch(header):
            _refuse("--response-header", f"{header!r} is no header's name", "Content-Type")
    if rule.max_age_s is not None and not 0 <= rule.max_age_s <= _LONGEST_AGE_S:
        _refuse("--max-age-s", f"{rule.max_age_s} is not of 0 to {_LONGEST_AGE_S}", "3600")
    return CorsRule(
        origins=origins,
        methods=tuple(dict.fromkeys(rule.methods)),
        response_headers=tuple(dict.fromkeys(rule.response_headers)),
        max_age_s=rule.max_age_s,
    )


def _refuse(option: str, problem: str, example: str) -> None:
    raise UsageError(
        "cors-rule",
        f"{option}: {problem}",
        subject=option,
        unchanged=_NOTHING,
        hint=f"for example: {option} {example}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleRule:
    """What a bucket does by itself to objects that meet conditions, in Google's own words."""

    action: str
    conditions: Mapping[str, Json]

    @classmethod
    def of(cls, stated: Mapping[str, Json]) -> "LifecycleRule":
        """The rule that a bucket states."""
        action, conditions = stated.get("action"), stated.get("condition")
        return cls(
            action=str(action.get("type")) if isinstance(action, Mapping) else "",
            conditions=dict(conditions) if isinstance(conditions, Mapping) else {},
        )

    def as_json(self) -> dict[str, Json]:
        """The rule for programs."""
        return {"action": self.action, "conditions": dict(self.conditions)}

    @property
    def deletes_live(self) -> bool:
        """Whether it deletes objects that are the newest of their name."""
        return self.action == "Delete" and not self._is_of_old_generations

    @property
    def deletes_old(self) -> bool:
        """Whether it deletes what was overwritten or deleted before, and versioning kept."""
        return self.action == "Delete" and self.conditions.get("isLive") is not True

    @property
    def _is_of_old_generations(self) -> bool:
        only_old = ("numNewerVersions", "daysSinceNoncurrentTime", "noncurrentTimeBefore")
        is_live = self.conditions.get("isLive")
        return is_live is False or any(self.conditions.get(name) for name in only_old)

    def meets(self, name: str) -> bool:
        """Whether an object of that name is among those it is for."""
        prefixes, suffixes = self._named("matchesPrefix"), self._named("matchesSuffix")
        return (not prefixes or name.startswith(prefixes)) and (
            not suffixes or name.endswith(suffixes)
        )

    def may_meet_below(self, prefix: str) -> bool:
        """Whether it can be for an object lakeFS writes below a prefix: those have no suffix."""
        prefixes, suffixes = self._named("matchesPrefix"), self._named("matchesSuffix")
        is_beside = bool(prefixes) and not any(
            one.startswith(prefix) or prefix.startswith(one) for one in prefixes
        )
        return not is_beside and not (suffixes and all("." in one for one in suffixes))

    def _named(self, condition: str) -> tuple[str, ...]:
        return texts(self.conditions.get(condition))

    @property
    def in_words(self) -> str:
        """As `Delete where age 30, matchesPrefix tmp/`."""
        said = [f"{name} {_plain(value)}" for name, value in self.conditions.items()]
        return f"{self.action} where {', '.join(said)}" if said else self.action


def _plain(value: Json) -> str:
    return " ".join(texts(value)) if isinstance(value, list) else str(value).lower()


def texts(value: Json) -> tuple[str, ...]:
    """A list of texts as a bucket states it; none where it states none."""
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketFacts:
    """How a bucket is set up.

    Attributes:
        location_kind: `region`, `dual-region` or `multi-region`.
        has_uniform_access: rights are of the bucket, not of single objects.
        prevents_public_access: nobody can make anything in it public.
        soft_delete_s: how long what was deleted can be had back; 0 for not at all.
        retention_s: how long no object can be overwritten or deleted; None for no such rule.
        revision: the settings' own version, which a change is made on condition of.
    """

    name: str
    location: str
    location_kind: str
    storage_class: str
    is_versioned: bool
    has_uniform_access: bool
    prevents_public_access: bool
    soft_delete_s: int
    retention_s: int | None
    lifecycle: tuple[LifecycleRule, ...]
    cors: tuple[CorsRule, ...]
    created_at: str
    revision: int

    def as_json(self) -> dict[str, Json]:
        """The settings for programs."""
        return {
            "name": self.name,
            "location": self.location,
            "location_kind": self.location_kind,
            "storage_class": self.storage_class,
            "versioning": self.is_versioned,
            "uniform_access": self.has_uniform_access,
            "public_access_prevented": self.prevents_public_access,
            "soft_delete_s": self.soft_delete_s,
            "retention_s": self.retention_s,
            "lifecycle": [rule.as_json() for rule in self.lifecycle],
            "cors": [rule.as_json() for rule in self.cors],
            "created_at": self.created_at,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """A setting of a bucket that is unsafe for a dataset: what may happen, and what to type."""

    code: str
    message: str
    remedy: str


def risks(facts: BucketFacts, lakefs_prefix: str) -> Iterator[Risk]:
    """What is unsafe about a bucket, the worst first.

    Args:
        facts: its settings.
        lakefs_prefix: below which names lakeFS writes in it.
    """
    update = f"gcloud storage buckets update {SCHEME}{facts.name}"
    for rule in facts.lifecycle:
        if rule.deletes_live and rule.may_meet_below(lakefs_prefix):
            yield Risk(
                code="lifecycle-deletes-lakefs",
                message=f"a lifecycle rule deletes what lakeFS stores below {lakefs_prefix}: "
                f"{rule.in_words}; versions would be lost",
                remedy="give the rule a matchesPrefix beside lakeFS's, or remove it: "
                f"{update} --clear-lifecycle",
            )
    if not facts.prevents_public_access:
        yield Risk(
            code="public-access",
            message="nothing keeps pictures and labels from being made public",
            remedy=f"{update} --public-access-prevention",
        )
    if not facts.has_uniform_access:
        yield Risk(
            code="object-access",
            message="each object may have rights of its own, which nobody sees in the bucket's",
            remedy=f"{update} --uniform-bucket-level-access",
        )
    if not facts.is_versioned:
        yield Risk(
            code="no-versioning",
            message=f"what is overwritten or deleted is gone{_after(facts.soft_delete_s)}",
            remedy=f"{update} --versioning",
        )
    if any(ANY_ORIGIN in rule.origins for rule in facts.cors):
        yield Risk(
            code="any-origin",
            message="every page on the web may read what its visitor can read of the bucket",
            remedy=f"ops bucket cors set {SCHEME}{facts.name} --origin LABEL-STUDIO'S-ADDRESS",
        )


def _after(soft_delete_s: int) -> str:
    days = soft_delete_s // 86_400
    return f" after {days} days of soft delete" if soft_delete_s else " at once"


def shown(facts: BucketFacts) -> Sequence[tuple[str, str]]:
    """The settings for people, a line each."""
    kept = facts.retention_s
    return [
        ("bucket", SCHEME + facts.name),
        ("location", f"{facts.location} ({facts.location_kind})"),
        ("class", facts.storage_class),
        ("versioning", _on(facts.is_versioned)),
        ("uniform access", _on(facts.has_uniform_access)),
        ("public access", "prevented" if facts.prevents_public_access else "not prevented"),
        ("soft delete", _duration(facts.soft_delete_s)),
        ("retention", "off" if kept is None else _duration(kept)),
        *_listed("lifecycle", [rule.in_words for rule in facts.lifecycle]),
        *_listed("cors", [rule.in_words for rule in facts.cors]),
        ("created", facts.created_at),
    ]


def _listed(name: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, line) for line in lines] or [(name, "none")]


def _on(value: bool) -> str:
    return "on" if value else "off"


def _duration(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    if not seconds:
        return "off"
    return f"{days} days" if not rest else f"{seconds} s"
