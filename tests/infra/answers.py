"""What the cloud would answer: the computed outputs the program may read, by resource type.

Owns the only list of resource types the program may declare: a type without a row is refused by the
mocks and by the stand-in providers. Knows nothing of what an input means.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

from pulumi.runtime import rpc

# A value as protobuf's JSON gives it.
Wire: TypeAlias = Any
Answer: TypeAlias = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]

PROJECT = "acme-labels"
PROJECT_NUMBER = "123456789012"
REGION = "europe-west1"

_STORAGE_AGENT = f"service-{PROJECT_NUMBER}@gs-project-accounts.iam.gserviceaccount.com"

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  the wire's mark of a secret, not one


UNKNOWN: str = rpc.UNKNOWN


class UnexpectedRequestError(AssertionError):
    """The program declared or asked for something no row here allows."""


def named(name: str, inputs: Mapping[str, Any]) -> str:
    """The physical name: as given, else as Pulumi would make one up (stable here)."""
    given = inputs.get("name")
    return str(given) if given else f"{name}-{hashlib.sha256(name.encode()).hexdigest()[:7]}"


def _nothing(_name: str, _inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {}


def _named(name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"name": named(name, inputs)}


def _link(collection: str) -> Answer:
    def answer(name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        called = named(name, inputs)
        path = f"projects/{PROJECT}/{collection}/{called}"
        link = f"https://www.googleapis.com/compute/v1/{path}"
        return {"name": called, "selfLink": link, "id": path}

    return answer


def _address(collection: str, address: str) -> Answer:
    def answer(name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**_link(collection)(name, inputs), "address": inputs.get("address", address)}

    return answer


def _bucket(name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    called = named(name, inputs)
    return {"name": called, "url": f"gs://{called}"}


def _account(_name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    email = f"{inputs['accountId']}@{PROJECT}.iam.gserviceaccount.com"
    path = f"projects/{PROJECT}/serviceAccounts/{email}"
    return {"email": email, "member": f"serviceAccount:{email}", "name": path, "id": path}


def _cluster(name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    called = named(name, inputs)
    certificate = {"clusterCaCertificate": "Y2VydGlmaWNhdGU=", "clientKey": ""}
    dns = f"gke-0123456789abcdef-{PROJECT_NUMBER}.{REGION}.gke.goog"
    allowed = {"allowExternalTraffic": True, "endpoint": dns}
    endpoints = inputs.get("controlPlaneEndpointsConfig", {})
    return {
        "name": called,
        "endpoint": "10.0.0.2",
        "masterAuth": certificate,
        "controlPlaneEndpointsConfig": {
            **endpoints,
            "dnsEndpointConfig": {**endpoints.get("dnsEndpointConfig", {}), **allowed},
        },
        "id": f"projects/{PROJECT}/locations/{inputs.get('location')}/clusters/{called}",
    }


def _database_instance(name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    called = named(name, inputs)
    return {
        "name": called,
        "privateIpAddress": "10.1.0.3",
        "connectionName": f"{PROJECT}:{REGION}:{called}",
        "selfLink": f"https://sqladmin.googleapis.com/v1/projects/{PROJECT}/instances/{called}",
        "serverCaCerts": [{"cert": "-----BEGIN CERTIFICATE-----"}],
        "dnsName": "",
    }


def _path(collection: str) -> Answer:
    def answer(name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        called = named(name, inputs)
        where = inputs.get("location", REGION)
        return {"name": called, "id": f"projects/{PROJECT}/locations/{where}/{collection}/{called}"}

    return answer


def _key(name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    called = named(name, inputs)
    return {"name": called, "id": f"{inputs['keyRing']}/cryptoKeys/{called}"}


def _authorization(name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    record = {
        "name": f"_acme-challenge.{inputs['domain']}.",
        "type": "CNAME",
        "data": f"{hashlib.sha256(inputs['domain'].encode()).hexdigest()[:12]}.authorize.goog.",
    }
    return {**_path("dnsAuthorizations")(name, inputs), "dnsResourceRecords": [record]}


def _channel(name: str, _inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"name": f"projects/{PROJECT}/notificationChannels/{len(name)}"}


def _uptime_check(name: str, _inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"name": f"projects/{PROJECT}/uptimeCheckConfigs/{name}", "uptimeCheckId": name}


def _identity(_name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    agent = str(inputs["service"]).removesuffix(".googleapis.com")
    email = f"service-{PROJECT_NUMBER}@gcp-sa-{agent}.iam.gserviceaccount.com"
    return {"email": email, "member": f"serviceAccount:{email}"}


def _random(length: str) -> Answer:
    def answer(name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        digest = hashlib.sha512(name.encode()).hexdigest() * 4
        size = int(inputs.get(length) or 8)
        return {"result": digest[:size], "bcryptHash": "$2a$10$"}

    return answer


def _service(_name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = inputs.get("spec", {})
    status = {"loadBalancer": {"ingress": [{"ip": "10.10.0.9"}]}}
    return {"spec": {"clusterIP": "10.96.0.7", **spec}, "status": status}


GCP: Mapping[str, Answer] = {
    "gcp:billing/budget:Budget": _nothing,
    "gcp:certificatemanager/certificate:Certificate": _path("certificates"),
    "gcp:certificatemanager/certificateMap:CertificateMap": _path("certificateMaps"),
    "gcp:certificatemanager/certificateMapEntry:CertificateMapEntry": _named,
    "gcp:certificatemanager/dnsAuthorization:DnsAuthorization": _authorization,
    "gcp:compute/address:Address": _address(f"regions/{REGION}/addresses", "10.10.0.8"),
    "gcp:compute/firewall:Firewall": _link("global/firewalls"),
    "gcp:compute/globalAddress:GlobalAddress": _address("global/addresses", "203.0.113.7"),
    "gcp:compute/network:Network": _link("global/networks"),
    "gcp:compute/router:Router": _link(f"regions/{REGION}/routers"),
    "gcp:compute/routerNat:RouterNat": _named,
    "gcp:compute/sSLPolicy:SSLPolicy": _link("global/sslPolicies"),
    "gcp:compute/securityPolicy:SecurityPolicy": _link("global/securityPolicies"),
    "gcp:compute/subnetwork:Subnetwork": _link(f"regions/{REGION}/subnetworks"),
    "gcp:container/cluster:Cluster": _cluster,
    "gcp:container/nodePool:NodePool": _named,
    "gcp:dns/managedZone:ManagedZone": _named,
    "gcp:dns/recordSet:RecordSet": _nothing,
    "gcp:gkebackup/backupPlan:BackupPlan": _path("backupPlans"),
    "gcp:iap/webIamMember:WebIamMember": _nothing,
    "gcp:kms/cryptoKey:CryptoKey": _key,
    "gcp:kms/cryptoKeyIAMMember:CryptoKeyIAMMember": _nothing,
    "gcp:kms/keyRing:KeyRing": _path("keyRings"),
    "gcp:monitoring/alertPolicy:AlertPolicy": _named,
    "gcp:monitoring/notificationChannel:NotificationChannel": _channel,
    "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig": _uptime_check,
    "gcp:projects/iAMAuditConfig:IAMAuditConfig": _nothing,
    "gcp:projects/iAMMember:IAMMember": _nothing,
    "gcp:projects/service:Service": _nothing,
    "gcp:projects/serviceIdentity:ServiceIdentity": _identity,
    "gcp:secretmanager/secret:Secret": _named,
    "gcp:secretmanager/secretIamMember:SecretIamMember": _nothing,
    "gcp:secretmanager/secretVersion:SecretVersion": _named,
    "gcp:serviceaccount/account:Account": _account,
    "gcp:serviceaccount/iAMMember:IAMMember": _nothing,
    "gcp:servicenetworking/connection:Connection": _nothing,
    "gcp:sql/database:Database": _named,
    "gcp:sql/databaseInstance:DatabaseInstance": _database_instance,
    "gcp:sql/user:User": _named,
    "gcp:storage/bucket:Bucket": _bucket,
    "gcp:storage/bucketIAMMember:BucketIAMMember": _nothing,
}

RANDOM: Mapping[str, Answer] = {
    "random:index/randomPassword:RandomPassword": _random("length"),
    "random:index/randomString:RandomString": _random("length"),
    "random:index/randomId:RandomId": _random("byteLength"),
    "random:index/randomBytes:RandomBytes": _random("length"),
}

KUBERNETES: Mapping[str, Answer] = {
    "kubernetes:apps/v1:Deployment": _nothing,
    "kubernetes:apps/v1:StatefulSet": _nothing,
    "kubernetes:autoscaling/v2:HorizontalPodAutoscaler": _nothing,
    "kubernetes:batch/v1:CronJob": _nothing,
    "kubernetes:core/v1:ConfigMap": _nothing,
    "kubernetes:core/v1:Namespace": _nothing,
    "kubernetes:core/v1:PersistentVolumeClaim": _nothing,
    "kubernetes:core/v1:Secret": _nothing,
    "kubernetes:core/v1:Service": _service,
    "kubernetes:core/v1:ServiceAccount": _nothing,
    "kubernetes:gateway.networking.k8s.io/v1:Gateway": _nothing,
    "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute": _nothing,
    "kubernetes:networking.gke.io/v1:GCPBackendPolicy": _nothing,
    "kubernetes:networking.gke.io/v1:GCPGatewayPolicy": _nothing,
    "kubernetes:networking.gke.io/v1:HealthCheckPolicy": _nothing,
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": _nothing,
    "kubernetes:policy/v1:PodDisruptionBudget": _nothing,
}

# Let through here, so that an invariant refuses each and says why; the mutations declare them.
FORBIDDEN: Mapping[str, Answer] = {
    "gcp:serviceaccount/key:Key": _nothing,
    "gcp:storage/bucketIAMBinding:BucketIAMBinding": _nothing,
    "gcp:storage/hmacKey:HmacKey": _nothing,
    "kubernetes:helm.sh/v3:Release": _nothing,
}

PROVIDERS: Mapping[str, Answer] = {
    "pulumi:providers:gcp": _nothing,
    "pulumi:providers:kubernetes": _nothing,
    "pulumi:providers:random": _nothing,
}

STORAGE_AGENT = f"service-{PROJECT_NUMBER}@gs-project-accounts.iam.gserviceaccount.com"

FUNCTIONS: Mapping[str, Mapping[str, Any]] = {
    "gcp:storage/getProjectServiceAccount:getProjectServiceAccount": {
        "emailAddress": STORAGE_AGENT,
        "member": f"serviceAccount:{STORAGE_AGENT}",
        "project": PROJECT,
        "id": STORAGE_AGENT,
    },
}
"""The only provider functions the program may call, each with its answer."""

# The provider functions the program may call, with their answers.
CALLS: Mapping[str, Mapping[str, Any]] = {
    "gcp:storage/getProjectServiceAccount:getProjectServiceAccount": {
        "emailAddress": _STORAGE_AGENT,
        "member": f"serviceAccount:{_STORAGE_AGENT}",
        "project": PROJECT,
        "id": _STORAGE_AGENT,
    },
}

COMPONENT_PREFIX = "labeling-ops:infra:"

_ALL: Mapping[str, Answer] = {**GCP, **RANDOM, **KUBERNETES, **PROVIDERS, **FORBIDDEN}


def computed(token: str, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """The outputs the cloud would add to plain `inputs`.

    Raises:
        UnexpectedRequestError: no row allows the type.
    """
    if token.startswith(COMPONENT_PREFIX):
        return {}
    if token not in _ALL:
        raise UnexpectedRequestError(f"{token} {name!r} has no row in {__name__}: is it meant?")
    return _ALL[token](name, inputs)


def answered(token: str) -> Mapping[str, Any]:
    """What a provider function answers.

    Raises:
        UnexpectedRequestError: no row allows the function.
    """
    if token not in CALLS:
        raise UnexpectedRequestError(f"the program calls {token}, which has no row in {__name__}")
    return CALLS[token]


def foreseen(inputs: Wire, answer: Wire) -> Wire:
    """What a preview knows of an answer: what the inputs say, else that it is unknown."""
    if isinstance(answer, dict) and isinstance(inputs, dict):
        given = cast("dict[str, Wire]", inputs)
        parts = cast("dict[str, Wire]", answer)
        told = {key: foreseen(given.get(key), part) for key, part in parts.items()}
        return {**given, **told}
    return inputs if inputs is not None else UNKNOWN


def called(token: str) -> Mapping[str, Any]:
    """What a provider function gives.

    Raises:
        UnexpectedRequestError: no row allows the function.
    """
    if token not in FUNCTIONS:
        raise UnexpectedRequestError(f"the program calls {token}, which has no row in {__name__}")
    return FUNCTIONS[token]


def plain(value: Wire) -> Wire:
    """A value of the wire without marks of secrets, whole floats as integers."""
    if isinstance(value, dict):
        table = cast("dict[str, Wire]", value)
        if table.get(SIGNATURE) == SECRET:
            return plain(table["value"])
        return {key: plain(part) for key, part in table.items()}
    if isinstance(value, list):
        return [plain(part) for part in cast("list[Wire]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def secret_paths(value: Wire, path: str = "") -> frozenset[str]:
    """Where a value of the wire is marked as secret: `data`, `settings.users[0].password`."""
    within: list[tuple[str, Wire]] = []
    if isinstance(value, dict):
        table = cast("dict[str, Wire]", value)
        if table.get(SIGNATURE) == SECRET:
            return frozenset({path})
        within = [(f"{path}.{key}" if path else key, part) for key, part in table.items()]
    elif isinstance(value, list):
        parts = cast("list[Wire]", value)
        within = [(f"{path}[{index}]", part) for index, part in enumerate(parts)]
    return frozenset(found for where, part in within for found in secret_paths(part, where))
