"""What the Pulumi program declares, recorded without a cloud: inputs, options and outputs.

Owns the mocks: fresh for each recording, refusing every resource type and provider function without
a row in tests/infra/answers.py. Runs the program as `pulumi up` would (or, asked
to, `pulumi preview`), with the configuration of Pulumi.yaml and a stack's file. Sees what the SDK's
mocks hide: protect, parents, providers, dependencies, aliases. Does not check an input: a real
engine (tests/infra/engine.py) and a real API server do that.
"""

import asyncio
import contextvars
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml
from google.protobuf import empty_pb2, json_format
from pulumi.runtime import mocks, set_all_config, stack
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import configure

from tests.infra.answers import (
    PROJECT,
    REGION,
    SECRET,
    SIGNATURE,
    UnexpectedRequestError,
    Wire,
    called,
    computed,
    foreseen,
    plain,
    secret_paths,
)

ROOT = Path(__file__).parents[2]
PULUMI_PROJECT = "labeling-ops"
_STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource as the program declared it.

    Attributes:
        type: the type token, as `gcp:storage/bucket:Bucket`.
        name: the logical name.
        inputs: in the wire's names (camelCase), plain: no marks of secrets, no unknowns resolved.
        secrets: where the inputs are secret, as `data` or `settings.users[0].password`.
        provider: URN of the explicit provider; empty where Pulumi's default one is used.
        depends_on: URNs of all it waits for, by option or by input.
        deleted_with: URN of the resource whose deletion takes this one along.
        aliases: each earlier place, as the wire's document of it.
    """

    urn: str
    type: str
    name: str
    custom: bool
    inputs: Mapping[str, Any]
    secrets: frozenset[str]
    parent: str
    provider: str
    depends_on: frozenset[str]
    protect: bool
    retain_on_delete: bool
    deleted_with: str
    ignore_changes: tuple[str, ...]
    aliases: tuple[Mapping[str, Any], ...]

    def is_secret(self, path: str) -> bool:
        """Whether the input at `path`, or one that holds it, is marked as secret."""
        return any(
            path == secret or path.startswith((f"{secret}.", f"{secret}["))
            for secret in self.secrets
        )

    def at(self, path: str) -> Wire:
        """The input at a dotted path, as `settings.ipConfiguration.sslMode`; None where absent."""
        value: Wire = self.inputs
        for step in path.split("."):
            if isinstance(value, list):
                parts = cast("list[Wire]", value)
                value = parts[int(step)] if int(step) < len(parts) else None
            else:
                value = cast("dict[str, Wire]", value).get(step) if value else None
        return value

    def list_at(self, path: str) -> Sequence[Wire]:
        """The list at a dotted path; empty where absent."""
        return cast("list[Wire]", self.at(path) or [])

    def table_at(self, path: str) -> Mapping[str, Wire]:
        """The table at a dotted path; empty where absent."""
        return cast("dict[str, Wire]", self.at(path) or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """All that one run of the program declared.

    Attributes:
        resources: in order of URN; without the stack itself.
        outputs: the stack's outputs, plain.
        secret_outputs: names of those that hold a secret.
        parents_finished: URNs of components that registered their outputs.
    """

    config: Mapping[str, str]
    resources: tuple[Resource, ...]
    outputs: Mapping[str, Any]
    secret_outputs: frozenset[str]
    parents_finished: frozenset[str]

    def of(self, kind: str) -> tuple[Resource, ...]:
        """Resources whose type ends in `kind` at a border: `Bucket`, `core/v1:Service`.

        Raises:
            AssertionError: `kind` means more than one type.
        """
        found = [each for each in self.resources if _is_kind(each.type, kind)]
        types = {each.type for each in found}
        assert len(types) <= 1, f"{kind!r} is ambiguous: {sorted(types)}"
        return tuple(found)

    def one(self, kind: str, name: str | None = None) -> Resource:
        """The only resource of a kind, or the only one of a logical (or Kubernetes) name."""
        found = [each for each in self.of(kind) if name is None or name in _names(each)]
        assert len(found) == 1, f"{kind} {name or ''}: {[each.name for each in found]}"
        return found[0]

    def by_urn(self, urn: str) -> Resource:
        """The resource of a URN."""
        return next(each for each in self.resources if each.urn == urn)

    def provider_of(self, resource: Resource) -> Resource | None:
        """The explicit provider of a resource; None for Pulumi's default one."""
        return self.by_urn(resource.provider) if resource.provider else None


def record(*, stack_name: str = "dev", preview: bool = False, **settings: object) -> Recorded:
    """What `infra.__main__.main` declares under a stack's settings, changed by `settings`.

    Settings are named as in `infra.config.Settings`: `database="in-cluster"`, `project="…"`.
    With `preview`, computed outputs are unknown, as before a first `pulumi up`.

    Raises:
        UnexpectedRequestError: the program declared a type, or called a function, not allowed here.
        Exception: whatever the program raised.
    """
    from infra.__main__ import main

    return record_component(main, stack_name=stack_name, preview=preview, **settings)


def record_component(
    declare: Callable[[], object],
    *,
    stack_name: str = "dev",
    preview: bool = False,
    **settings: object,
) -> Recorded:
    """What `declare()` declares, for one component or a few; else as `record`."""
    config = configuration(stack_name, **settings)
    # An empty context is a fresh Pulumi run: the SDK keeps its state in context variables.
    return contextvars.Context().run(_run, declare, config, stack_name, preview)


def configuration(stack_name: str, **settings: object) -> Mapping[str, str]:
    """What the engine hands to the program: Pulumi.yaml's defaults, the stack's file, changes."""
    declared: Mapping[str, Any] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    config: dict[str, str] = {"gcp:project": PROJECT, "gcp:region": REGION}
    config |= {
        f"{PULUMI_PROJECT}:{key}": _as_text(rule["default"])
        for key, rule in declared.items()
        if "default" in rule
    }
    config[f"{PULUMI_PROJECT}:adminEmail"] = "admin@example.org"
    stack_file = ROOT / f"Pulumi.{stack_name}.yaml"
    if stack_file.exists():
        values: Mapping[str, Any] = yaml.safe_load(stack_file.read_text())["config"]
        config |= {key: _as_text(value) for key, value in values.items()}
    for name, value in settings.items():
        if value is None:
            config.pop(_key(name))
        else:
            config[_key(name)] = _as_text(value)
    return config


def _key(name: str) -> str:
    if name in {"project", "region"}:
        return f"gcp:{name}"
    first, *others = name.split("_")
    return f"{PULUMI_PROJECT}:{first}{''.join(word.capitalize() for word in others)}"


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _run(
    declare: Callable[[], object], config: Mapping[str, str], stack_name: str, preview: bool
) -> Recorded:
    monitor = _Monitor(stack_name, preview=preview)
    configure(
        mocks.MockSettings(
            monitor=monitor,
            monitor_features=set(),
            engine=mocks.MockEngine(None),
            project=PULUMI_PROJECT,
            stack=stack_name,
            dry_run=preview,
            organization=None,
            callbacks=None,
        )
    )
    set_all_config(dict(config))

    def program() -> None:
        declare()

    loop = asyncio.new_event_loop()
    # One failed registration fails every output that waits for it: one report is enough.
    loop.set_exception_handler(lambda _loop, _context: None)
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(stack.run_in_stack(program))
    except Exception as error:
        if monitor.refused is not None:
            raise monitor.refused from error
        raise
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    if monitor.refused is not None:
        raise monitor.refused
    return Recorded(
        config=config,
        resources=tuple(sorted(monitor.declared, key=lambda each: each.urn)),
        outputs={key: plain(value) for key, value in monitor.exported.items()},
        secret_outputs=frozenset(
            key for key, value in monitor.exported.items() if secret_paths(value)
        ),
        parents_finished=frozenset(monitor.finished),
    )


class _NoMocks(mocks.Mocks):
    """Never asked: the monitor below answers everything itself."""

    def call(self, args: mocks.MockCallArgs) -> Wire:
        raise UnexpectedRequestError(f"the program calls {args.token}")

    def new_resource(self, args: mocks.MockResourceArgs) -> Wire:
        raise UnexpectedRequestError(f"the program reads {args.typ} {args.name}")


class _Monitor(mocks.MockMonitor):
    """The engine's side: notes each registration whole, and answers as a provider would."""

    def __init__(self, stack_name: str, *, preview: bool) -> None:
        super().__init__(_NoMocks())
        self.stack_name = stack_name
        self.preview = preview
        self.declared: list[Resource] = []
        self.exported: Mapping[str, Any] = {}
        self.finished: set[str] = set()
        self.refused: UnexpectedRequestError | None = None

    def RegisterResource(self, request: Wire) -> Wire:  # noqa: N802  the SDK's name
        urn = self._urn(request)
        if request.type == _STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        if any(each.urn == urn for each in self.declared):
            self.refused = UnexpectedRequestError(f"declared twice: {urn}")
        wire = json_format.MessageToDict(request.object)
        resource = _resource(request, urn, wire)
        self.declared.append(resource)
        answer = self._answer(request.type, request.name, resource.inputs)
        identity = str(answer.pop("id", f"{request.name}-id"))
        if not request.custom:
            identity = ""
        elif self.preview:
            identity = ""
            answer = {key: foreseen(resource.inputs.get(key), answer[key]) for key in answer}
        for key in request.additionalSecretOutputs:
            if key in answer:
                answer[key] = {SIGNATURE: SECRET, "value": answer[key]}
        outputs = resource_pb2.RegisterResourceResponse(urn=urn, id=identity)
        json_format.ParseDict({**wire, **answer}, outputs.object)
        return outputs

    def RegisterResourceOutputs(self, request: Wire) -> Wire:  # noqa: N802  the SDK's name
        self.finished.add(request.urn)
        if f"::{_STACK_TYPE}::" in request.urn:
            self.exported = json_format.MessageToDict(request.outputs)
        return empty_pb2.Empty()

    def ReadResource(self, request: Wire) -> Wire:  # noqa: N802  the SDK's name
        self.refused = UnexpectedRequestError(f"the program reads {request.type} {request.name}")
        raise self.refused

    def Invoke(self, request: Wire) -> Wire:  # noqa: N802  the SDK's name
        answer = resource_pb2.ResourceInvokeResponse()
        try:
            json_format.ParseDict(dict(called(request.tok)), getattr(answer, "return"))
        except UnexpectedRequestError as error:
            self.refused = error
            raise
        return answer

    def _answer(self, token: str, name: str, inputs: Mapping[str, Wire]) -> dict[str, Wire]:
        try:
            return dict(computed(token, name, inputs))
        except UnexpectedRequestError as error:
            # Raised when the program has ended: an error in here would be told of once an output.
            self.refused = error
            return {}

    def _urn(self, request: Wire) -> str:
        token = request.type
        parent = request.parent
        if parent and f"::{_STACK_TYPE}::" not in parent:
            token = f"{parent.split('::')[2]}${token}"
        return f"urn:pulumi:{self.stack_name}::{PULUMI_PROJECT}::{token}::{request.name}"


def _resource(request: Wire, urn: str, wire: Mapping[str, Any]) -> Resource:
    waits = set(request.dependencies)
    for dependencies in request.propertyDependencies.values():
        waits |= set(dependencies.urns)
    return Resource(
        urn=urn,
        type=request.type,
        name=request.name,
        custom=request.custom,
        inputs=plain(wire),
        secrets=secret_paths(wire),
        parent=request.parent,
        provider=request.provider.rpartition("::")[0],
        depends_on=frozenset(waits),
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        deleted_with=request.deletedWith,
        ignore_changes=tuple(request.ignoreChanges),
        aliases=tuple(json_format.MessageToDict(each) for each in request.aliases),
    )


def _is_kind(token: str, kind: str) -> bool:
    return token == kind or token.endswith((f":{kind}", f"/{kind}"))


def _names(resource: Resource) -> set[str]:
    return {resource.name, str(resource.at("metadata.name")), str(resource.at("name"))}
