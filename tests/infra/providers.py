"""Stand-ins for the providers, which no registry carries: servers the real engine is pointed at.

Owns what a provider must do for the engine: answer, tell replacement from update, remember calls.
Refuses every type without a row in tests/infra/answers.py. Does not prove what Google accepts; the
Kubernetes one may be given a real API server, which does prove what Kubernetes accepts.
"""

# gRPC decides the names and arguments of what it calls.
# ruff: noqa: ARG002, N802

import contextlib
import threading
from collections.abc import Generator, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, field
from typing import Protocol, cast

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from tests.infra.answers import (
    UnexpectedRequestError,
    Wire,
    called,
    computed,
    foreseen,
    plain,
)

# What a change of makes the provider delete and create anew (ForceNew in its documentation).
REPLACING: Mapping[str, frozenset[str]] = {
    "gcp:compute/address:Address": frozenset({"name", "region", "subnetwork", "address"}),
    "gcp:compute/globalAddress:GlobalAddress": frozenset({"name", "purpose", "network", "address"}),
    "gcp:compute/network:Network": frozenset({"name", "autoCreateSubnetworks"}),
    "gcp:compute/subnetwork:Subnetwork": frozenset({"name", "network", "region"}),
    "gcp:container/cluster:Cluster": frozenset(
        {"name", "location", "enableAutopilot", "network", "subnetwork", "ipAllocationPolicy"}
    ),
    "gcp:container/nodePool:NodePool": frozenset({"name", "cluster", "location"}),
    "gcp:kms/cryptoKey:CryptoKey": frozenset({"name", "keyRing", "purpose"}),
    "gcp:kms/keyRing:KeyRing": frozenset({"name", "location", "project"}),
    "gcp:projects/service:Service": frozenset({"service"}),
    "gcp:serviceaccount/account:Account": frozenset({"accountId"}),
    "gcp:sql/database:Database": frozenset({"name", "instance"}),
    "gcp:sql/databaseInstance:DatabaseInstance": frozenset(
        {"name", "region", "encryptionKeyName", "masterInstanceName"}
    ),
    "gcp:sql/user:User": frozenset({"name", "instance", "host"}),
    "gcp:storage/bucket:Bucket": frozenset({"name", "location", "project"}),
    "random:index/randomPassword:RandomPassword": frozenset(
        {"keepers", "length", "lower", "number", "numeric", "special", "upper"}
    ),
    "gcp:storage/bucketIAMMember:BucketIAMMember": frozenset({"bucket", "role", "member"}),
}
_IDENTITY_OF_OBJECT = frozenset({"apiVersion", "kind", "metadata.name", "metadata.namespace"})
_KUBERNETES_REPLACING: Mapping[str, frozenset[str]] = {
    "kubernetes:apps/v1:Deployment": frozenset({"spec.selector"}),
    "kubernetes:apps/v1:StatefulSet": frozenset(
        {"spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"}
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One change the engine asked of a provider.

    Attributes:
        operation: `create`, `update`, `delete`; with `preview-` before it where nothing happens.
    """

    operation: str
    urn: str
    inputs: Mapping[str, Wire]

    @property
    def type(self) -> str:
        """The resource's type token."""
        return type_of(self.urn)

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return name_of(self.urn)


class Objects(Protocol):
    """Where Kubernetes objects go: a real API server, or nowhere."""

    def apply(self, manifest: Mapping[str, Wire]) -> Mapping[str, Wire]:
        """Apply an object, strictly, and give it as it is then."""
        ...

    def delete(self, manifest: Mapping[str, Wire]) -> None:
        """Delete an object; a no-op if it is gone."""
        ...


@dataclass(slots=True, kw_only=True)
class Journal:
    """The calls of all providers, in order."""

    calls: list[Call] = field(default_factory=list[Call])
    warnings: list[str] = field(default_factory=list[str])
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, operation: str, urn: str, inputs: Mapping[str, Wire]) -> None:
        """Remember a call."""
        with self.lock:
            self.calls.append(Call(operation=operation, urn=urn, inputs=inputs))

    def of(self, operation: str) -> Sequence[Call]:
        """The calls of one operation, in order."""
        return [call for call in self.calls if call.operation == operation]

    def clear(self) -> None:
        """Forget what was called so far."""
        with self.lock:
            self.calls.clear()


class StandIn(provider_pb2_grpc.ResourceProviderServicer):
    """A provider that answers as tests/infra/answers.py says."""

    def __init__(self, version: str, journal: Journal) -> None:
        self.version = version
        self.journal = journal

    def replacing(self, urn: str) -> frozenset[str]:
        """The paths of inputs whose change replaces the resource."""
        return REPLACING.get(type_of(urn), frozenset())

    def made(self, urn: str, inputs: Mapping[str, Wire], *, preview: bool) -> Mapping[str, Wire]:
        """The resource's outputs; computed ones are unknown in a preview."""
        outputs = computed(type_of(urn), name_of(urn), inputs)
        known = foreseen(inputs, outputs) if preview else {**inputs, **outputs}
        return cast("Mapping[str, Wire]", known)

    def unmade(self, urn: str, outputs: Mapping[str, Wire]) -> None:
        """Take the resource away."""

    def Handshake(self, request: Wire, context: Wire) -> Wire:
        """Say hello: nothing is agreed on."""
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=False, accept_outputs=False)

    def Attach(self, request: Wire, context: Wire) -> Wire:
        """The engine was told where we are."""
        return empty_pb2.Empty()

    def Cancel(self, request: Wire, context: Wire) -> Wire:
        """Nothing is under way that could be stopped."""
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Wire, context: Wire) -> Wire:
        """Tell a version."""
        return plugin_pb2.PluginInfo(version=self.version)

    def CheckConfig(self, request: Wire, context: Wire) -> Wire:
        """Take any configuration."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Wire, context: Wire) -> Wire:
        """A provider never differs."""
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Wire, context: Wire) -> Wire:
        """Ask for plain values: secrets and outputs are the engine's."""
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Invoke(self, request: Wire, context: Wire) -> Wire:
        """Answer a question of the program."""
        answer = provider_pb2.InvokeResponse()
        try:
            json_format.ParseDict(dict(called(request.tok)), getattr(answer, "return"))
        except UnexpectedRequestError as error:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, str(error))
        return answer

    def Check(self, request: Wire, context: Wire) -> Wire:
        """Take inputs as they are, or say what is wrong."""
        inputs = _decoded(request.news)
        failures: list[provider_pb2.CheckFailure] = []
        try:
            computed(type_of(request.urn), name_of(request.urn), inputs)
        except UnexpectedRequestError as error:
            failures.append(provider_pb2.CheckFailure(reason=str(error)))
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: Wire, context: Wire) -> Wire:
        """Compare inputs by name; say which replace."""
        old, new = _decoded(request.old_inputs), _decoded(request.news)
        changed = sorted(
            key
            for key in old.keys() | new.keys()
            if key not in request.ignoreChanges and old.get(key) != new.get(key)
        )
        replaced = sorted(
            path for path in self.replacing(request.urn) if _at(old, path) != _at(new, path)
        )
        some = bool(changed)
        changes = (
            provider_pb2.DiffResponse.DIFF_SOME if some else provider_pb2.DiffResponse.DIFF_NONE
        )
        return provider_pb2.DiffResponse(
            changes=changes, diffs=changed, replaces=[path.split(".")[0] for path in replaced]
        )

    def Create(self, request: Wire, context: Wire) -> Wire:
        """Make it, or say what a preview may know."""
        inputs = _decoded(request.properties)
        outputs = self._make("create", request, inputs, context)
        identity = str(outputs.pop("id", f"{name_of(request.urn)}-id"))
        return provider_pb2.CreateResponse(
            id="" if request.preview else identity, properties=_encoded(outputs)
        )

    def Update(self, request: Wire, context: Wire) -> Wire:
        """Change it."""
        outputs = self._make("update", request, _decoded(request.news), context)
        outputs.pop("id", None)
        return provider_pb2.UpdateResponse(properties=_encoded(outputs))

    def Read(self, request: Wire, context: Wire) -> Wire:
        """Find it as it was left."""
        return provider_pb2.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )

    def Delete(self, request: Wire, context: Wire) -> Wire:
        """Take it away."""
        outputs = _decoded(request.properties)
        self.journal.note("delete", request.urn, outputs)
        self.unmade(request.urn, outputs)
        return empty_pb2.Empty()

    def _make(
        self, operation: str, request: Wire, inputs: Mapping[str, Wire], context: Wire
    ) -> dict[str, Wire]:
        word = f"preview-{operation}" if request.preview else operation
        self.journal.note(word, request.urn, inputs)
        try:
            return dict(self.made(request.urn, inputs, preview=request.preview))
        except RefusedError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise


class RefusedError(Exception):
    """The API server does not take an object."""


class KubernetesStandIn(StandIn):
    """The Kubernetes provider, by server-side apply to `objects` if they are given."""

    def __init__(self, version: str, journal: Journal, objects: Objects | None) -> None:
        super().__init__(version, journal)
        self.objects = objects

    def replacing(self, urn: str) -> frozenset[str]:
        """What identifies an object, and what its kind does not let change."""
        return _IDENTITY_OF_OBJECT | _KUBERNETES_REPLACING.get(type_of(urn), frozenset())

    def made(self, urn: str, inputs: Mapping[str, Wire], *, preview: bool) -> Mapping[str, Wire]:
        """The object as the API server has it then."""
        metadata = inputs["metadata"]
        identity = f"{metadata.get('namespace', '')}/{metadata['name']}".lstrip("/")
        expected = super().made(urn, inputs, preview=preview)
        if preview or self.objects is None:
            return {"id": identity, **expected}
        return {**expected, **self.objects.apply(inputs), "id": identity}

    def unmade(self, urn: str, outputs: Mapping[str, Wire]) -> None:
        """Delete the object."""
        if self.objects is not None:
            self.objects.delete(outputs)


def type_of(urn: str) -> str:
    """The type token in a URN."""
    return urn.split("::")[2].rpartition("$")[2]


def name_of(urn: str) -> str:
    """The logical name in a URN."""
    return urn.rpartition("::")[2]


@contextlib.contextmanager
def serving(versions: Mapping[str, str], objects: Objects | None) -> Generator[tuple[str, Journal]]:
    """Stand-ins by package: the engine's variable that points at them, and their journal."""
    journal = Journal()
    servers: list[grpc.Server] = []
    addresses: list[str] = []
    for package, version in versions.items():
        if package == "kubernetes":
            provider: StandIn = KubernetesStandIn(version, journal, objects)
        else:
            provider = StandIn(version, journal)
        server = grpc.server(
            futures.ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", 64 << 20)]
        )
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
        addresses.append(f"{package}:{server.add_insecure_port('127.0.0.1:0')}")
        server.start()
        servers.append(server)
    try:
        yield ",".join(addresses), journal
    finally:
        for server in servers:
            server.stop(None).wait()


def _decoded(properties: struct_pb2.Struct) -> dict[str, Wire]:
    return cast("dict[str, Wire]", plain(json_format.MessageToDict(properties)))


def _encoded(outputs: Mapping[str, Wire]) -> struct_pb2.Struct:
    return json_format.ParseDict(dict(outputs), struct_pb2.Struct())


def _at(value: Mapping[str, Wire], path: str) -> Wire:
    found: Wire = value
    for step in path.split("."):
        found = cast("Mapping[str, Wire]", found).get(step) if found else None
    return found
