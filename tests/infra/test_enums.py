"""Words that Google's APIs take from a list of their own: each is on that list.

Neither Python nor a type checker knows these lists. Google publishes them as discovery documents,
which google-api-python-client carries. A new such word fails until it has a row here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from infra.settings import ReleaseChannel
from tests.infra.answers import Wire
from tests.infra.scenarios import SCENARIOS, recorded
from tests.laws import note

# Where an input's list is: document, schema, property. By resource type and path of the input.
LISTS: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("billing/budget:Budget", "thresholdRules.spendBasis"): (
        "billingbudgets.v1",
        "GoogleCloudBillingBudgetsV1ThresholdRule",
        "spendBasis",
    ),
    ("compute/address:Address", "addressType"): ("compute.v1", "Address", "addressType"),
    ("compute/address:Address", "purpose"): ("compute.v1", "Address", "purpose"),
    ("compute/globalAddress:GlobalAddress", "addressType"): (
        "compute.v1",
        "Address",
        "addressType",
    ),
    ("compute/globalAddress:GlobalAddress", "purpose"): ("compute.v1", "Address", "purpose"),
    ("compute/network:Network", "routingMode"): (
        "compute.v1",
        "NetworkRoutingConfig",
        "routingMode",
    ),
    ("compute/routerNat:RouterNat", "logConfig.filter"): (
        "compute.v1",
        "RouterNatLogConfig",
        "filter",
    ),
    ("compute/routerNat:RouterNat", "natIpAllocateOption"): (
        "compute.v1",
        "RouterNat",
        "natIpAllocateOption",
    ),
    ("compute/routerNat:RouterNat", "sourceSubnetworkIpRangesToNat"): (
        "compute.v1",
        "RouterNat",
        "sourceSubnetworkIpRangesToNat",
    ),
    ("compute/sSLPolicy:SSLPolicy", "minTlsVersion"): ("compute.v1", "SslPolicy", "minTlsVersion"),
    ("compute/sSLPolicy:SSLPolicy", "profile"): ("compute.v1", "SslPolicy", "profile"),
    ("compute/subnetwork:Subnetwork", "logConfig.aggregationInterval"): (
        "compute.v1",
        "SubnetworkLogConfig",
        "aggregationInterval",
    ),
    ("compute/subnetwork:Subnetwork", "logConfig.metadata"): (
        "compute.v1",
        "SubnetworkLogConfig",
        "metadata",
    ),
    ("container/cluster:Cluster", "databaseEncryption.state"): (
        "container.v1",
        "DatabaseEncryption",
        "state",
    ),
    ("container/cluster:Cluster", "datapathProvider"): (
        "container.v1",
        "NetworkConfig",
        "datapathProvider",
    ),
    ("container/cluster:Cluster", "gatewayApiConfig.channel"): (
        "container.v1",
        "GatewayAPIConfig",
        "channel",
    ),
    ("container/cluster:Cluster", "nodeConfig.workloadMetadataConfig.mode"): (
        "container.v1",
        "WorkloadMetadataConfig",
        "mode",
    ),
    ("container/cluster:Cluster", "releaseChannel.channel"): (
        "container.v1",
        "ReleaseChannel",
        "channel",
    ),
    ("container/nodePool:NodePool", "autoscaling.locationPolicy"): (
        "container.v1",
        "NodePoolAutoscaling",
        "locationPolicy",
    ),
    ("container/nodePool:NodePool", "nodeConfig.taints.effect"): (
        "container.v1",
        "NodeTaint",
        "effect",
    ),
    ("container/nodePool:NodePool", "nodeConfig.workloadMetadataConfig.mode"): (
        "container.v1",
        "WorkloadMetadataConfig",
        "mode",
    ),
    ("dns/managedZone:ManagedZone", "visibility"): ("dns.v1", "ManagedZone", "visibility"),
    ("kms/cryptoKey:CryptoKey", "purpose"): ("cloudkms.v1", "CryptoKey", "purpose"),
    ("monitoring/alertPolicy:AlertPolicy", "combiner"): (
        "monitoring.v3",
        "AlertPolicy",
        "combiner",
    ),
    (
        "monitoring/alertPolicy:AlertPolicy",
        "conditions.conditionThreshold.aggregations.crossSeriesReducer",
    ): ("monitoring.v3", "Aggregation", "crossSeriesReducer"),
    (
        "monitoring/alertPolicy:AlertPolicy",
        "conditions.conditionThreshold.aggregations.perSeriesAligner",
    ): ("monitoring.v3", "Aggregation", "perSeriesAligner"),
    ("monitoring/alertPolicy:AlertPolicy", "conditions.conditionThreshold.comparison"): (
        "monitoring.v3",
        "MetricThreshold",
        "comparison",
    ),
    ("sql/databaseInstance:DatabaseInstance", "databaseVersion"): (
        "sqladmin.v1",
        "DatabaseInstance",
        "databaseVersion",
    ),
    ("sql/databaseInstance:DatabaseInstance", "settings.availabilityType"): (
        "sqladmin.v1",
        "Settings",
        "availabilityType",
    ),
    (
        "sql/databaseInstance:DatabaseInstance",
        "settings.backupConfiguration.backupRetentionSettings.retentionUnit",
    ): ("sqladmin.v1", "BackupRetentionSettings", "retentionUnit"),
    ("sql/databaseInstance:DatabaseInstance", "settings.diskType"): (
        "sqladmin.v1",
        "Settings",
        "dataDiskType",
    ),
    ("sql/databaseInstance:DatabaseInstance", "settings.edition"): (
        "sqladmin.v1",
        "Settings",
        "edition",
    ),
    ("sql/databaseInstance:DatabaseInstance", "settings.ipConfiguration.sslMode"): (
        "sqladmin.v1",
        "IpConfiguration",
        "sslMode",
    ),
    ("sql/databaseInstance:DatabaseInstance", "settings.maintenanceWindow.updateTrack"): (
        "sqladmin.v1",
        "MaintenanceWindow",
        "updateTrack",
    ),
}

# Where Google's document has no list: the word stands in its description, or is not Google's.
_DESCRIBED: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("storage/bucket:Bucket", "lifecycleRules.action.type"): (
        "storage.v1",
        "Bucket",
        "lifecycle",
        "rule",
        "action",
        "type",
    ),
    ("storage/bucket:Bucket", "publicAccessPrevention"): (
        "storage.v1",
        "Bucket",
        "iamConfiguration",
        "publicAccessPrevention",
    ),
}
_NOT_GOOGLE_S: Mapping[tuple[str, str], str] = {
    ("container/nodePool:NodePool", "nodeConfig.imageType"): "a list of the region's, at run time",
    ("dns/recordSet:RecordSet", "type"): "DNS's own",
    ("kms/cryptoKey:CryptoKey", "deletionPolicy"): "the provider's own",
    ("monitoring/notificationChannel:NotificationChannel", "type"): "a channel descriptor's name",
    ("monitoring/uptimeCheckConfig:UptimeCheckConfig", "monitoredResource.type"): "a descriptor's",
    ("servicenetworking/connection:Connection", "deletionPolicy"): "the provider's own",
    ("sql/database:Database", "charset"): "PostgreSQL's",
    ("sql/database:Database", "deletionPolicy"): "the provider's own",
    ("sql/user:User", "deletionPolicy"): "the provider's own",
    ("storage/bucket:Bucket", "cors.methods"): "HTTP's",
    ("storage/bucket:Bucket", "deletionPolicy"): "the provider's own",
    ("storage/bucket:Bucket", "lifecycleRules.condition.withState"): "the provider's own",
}
_WORD = re.compile(r"[A-Z][A-Z0-9_]+")
_LOWER_CASE = {"mode", "publicAccessPrevention", "type", "updateTrack", "visibility"}


def test_every_word_is_on_google_s_list() -> None:
    checked = 0
    for (kind, path), words in _used().items():
        if (kind, path) in LISTS:
            document, schema, name = LISTS[kind, path]
            listed = _schemas(document)[schema]["properties"][name]["enum"]
            assert words <= {*listed}, f"{kind} {path}: {words} and not of {listed}"
            checked += len(words)
        elif (kind, path) in _DESCRIBED:
            description = _description(*_DESCRIBED[kind, path])
            assert all(word in description for word in words), f"{words}: {description}"
            checked += len(words)
    assert checked > 30
    note("infra", f"{checked} words of Google's APIs, each on Google's list")


def test_every_word_has_a_row_and_every_row_a_word() -> None:
    assert _used().keys() == {*LISTS, *_DESCRIBED, *_NOT_GOOGLE_S}


def test_every_release_channel_there_is_a_setting_for_is_google_s() -> None:
    document, schema, name = LISTS["container/cluster:Cluster", "releaseChannel.channel"]
    listed = {*_schemas(document)[schema]["properties"][name]["enum"]}
    assert {str(each) for each in ReleaseChannel} == listed - {"UNSPECIFIED"}


def _used() -> Mapping[tuple[str, str], set[str]]:
    """The words in recorded inputs that look as if they were of a list, by where they are."""
    found: dict[tuple[str, str], set[str]] = {}
    for scenario in SCENARIOS:
        for each in recorded(scenario).resources:
            if not each.type.startswith("gcp:"):
                continue
            for path, text in _texts(each.inputs, ""):
                if _WORD.fullmatch(text) or path.rpartition(".")[2] in _LOWER_CASE:
                    found.setdefault((each.type.removeprefix("gcp:"), path), set()).add(text)
    # A location is Google's list, too, and a different one in each project.
    return {where: words for where, words in found.items() if where[1] != "location"}


def _texts(value: Wire, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, part in cast("dict[str, Wire]", value).items():
            yield from _texts(part, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for part in cast("list[Wire]", value):
            yield from _texts(part, path)


@cache
def _schemas(document: str) -> Mapping[str, Any]:
    """The schemas of a discovery document."""
    spec = find_spec("googleapiclient")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "discovery_cache" / "documents"
    return json.loads((folder / f"{document}.json").read_text())["schemas"]


def _description(document: str, schema: str, *path: str) -> str:
    found: Any = _schemas(document)[schema]
    for step in path:
        found = found.get("items", found)["properties"][step]
    return found["description"]
