"""Who may do what: accounts, members, and no keys."""

import re
from collections.abc import Iterator

from tests.infra.invariants.rule import called, cloud, invariant, kubernetes, setting
from tests.infra.recording import Recorded, Resource

# Of the whole project, a node needs to write logs and metrics, and nobody anything else.
_PROJECT_ROLES = {"roles/container.defaultNodeServiceAccount"}
# Object roles alone: none may change a bucket, its policy or its life cycle.
_BUCKET_ROLES = {
    "roles/storage.bucketViewer",
    "roles/storage.legacyBucketReader",
    "roles/storage.objectAdmin",
    "roles/storage.objectUser",
    "roles/storage.objectViewer",
}
_ON_ITSELF = "roles/iam.serviceAccountTokenCreator"
_WORKLOAD_IDENTITY = "roles/iam.workloadIdentityUser"
_KEYS = re.compile(r":(HmacKey|Key|ApiKey)$")
_WHOLE = re.compile(r"(?i)iam(binding|policy)$")
_EVERYBODY = ("allUsers", "allAuthenticatedUsers")


@invariant
def there_are_no_keys(recorded: Recorded) -> Iterator[str]:
    """A key of a service account is a password that nobody ever changes."""
    for each in cloud(recorded):
        if _KEYS.search(each.type):
            yield called(each)


@invariant
def nobody_s_permission_is_overwritten(recorded: Recorded) -> Iterator[str]:
    """A binding or policy is the whole list: it takes away what others were given."""
    for each in cloud(recorded):
        if _WHOLE.search(each.type):
            yield called(each)


@invariant
def no_role_is_everybody_s(recorded: Recorded) -> Iterator[str]:
    """Nothing here is public."""
    for each in cloud(recorded):
        if each.inputs.get("member") in _EVERYBODY:
            yield called(each)


@invariant
def roles_on_the_project_are_the_nodes_alone(recorded: Recorded) -> Iterator[str]:
    """A project-level storage role would open every bucket of the project."""
    for each in recorded.of("projects/iAMMember:IAMMember"):
        if each.inputs["role"] not in _PROJECT_ROLES:
            yield f"{each.inputs['member']} gets {each.inputs['role']}"
        if "nodes" not in str(each.inputs["member"]):
            yield f"{each.inputs['member']} is not the nodes'"


@invariant
def bucket_roles_are_about_objects(recorded: Recorded) -> Iterator[str]:
    """Nobody may change a bucket's own settings."""
    for each in recorded.of("BucketIAMMember"):
        if each.inputs["role"] not in _BUCKET_ROLES:
            yield f"{each.inputs['member']} gets {each.inputs['role']}"


@invariant
def each_bucket_has_one_writer(recorded: Recorded) -> Iterator[str]:
    """Two programs in one bucket are one program with the rights of both."""
    writers: dict[str, set[str]] = {}
    for each in recorded.of("BucketIAMMember"):
        if each.inputs["role"] in {"roles/storage.objectAdmin", "roles/storage.objectUser"}:
            writers.setdefault(each.inputs["bucket"], set()).add(each.inputs["member"])
    buckets = {str(each.at("name")) for each in recorded.of("Bucket")}
    yield from (f"{each} has none" for each in sorted(buckets - writers.keys()))
    for bucket, members in writers.items():
        if len(members) != 1:
            yield f"{bucket}: {sorted(members)}"
    everybody = [member for members in writers.values() for member in members]
    yield from (f"{each} writes two" for each in set(everybody) if everybody.count(each) > 1)


@invariant
def buckets_of_others_are_only_read(recorded: Recorded) -> Iterator[str]:
    """`importBuckets` are somebody's: lakeFS reads them in place."""
    own = {str(each.at("name")) for each in recorded.of("Bucket")}
    for each in recorded.of("BucketIAMMember"):
        is_foreign = each.inputs["bucket"] not in own
        if is_foreign and each.inputs["role"] not in {
            "roles/storage.objectViewer",
            "roles/storage.bucketViewer",
        }:
            yield f"{each.inputs['bucket']}: {each.inputs['role']}"


@invariant
def every_import_bucket_may_be_read(recorded: Recorded) -> Iterator[str]:
    """What `ops data import` is promised."""
    readable = {
        each.inputs["bucket"]
        for each in recorded.of("BucketIAMMember")
        if each.inputs["role"] == "roles/storage.objectViewer"
    }
    for bucket in re.findall(r'"([^"]+)"', setting(recorded, "importBuckets")):
        if bucket not in readable:
            yield bucket


@invariant
def accounts_act_as_themselves_alone(recorded: Recorded) -> Iterator[str]:
    """Signing needs the right to make tokens: on itself, or one account could be another."""
    for each in recorded.of("serviceaccount/iAMMember:IAMMember"):
        role, member = each.inputs["role"], str(each.inputs["member"])
        if role == _ON_ITSELF:
            if member.removeprefix("serviceAccount:") not in str(each.inputs["serviceAccountId"]):
                yield f"{member} may act as {each.inputs['serviceAccountId']}"
        elif role != _WORKLOAD_IDENTITY:
            yield f"{member} gets {role}"


@invariant
def both_servers_may_sign_without_a_key(recorded: Recorded) -> Iterator[str]:
    """Signed URLs of lakeFS and Label Studio ask Google to sign."""
    signing = {
        str(each.inputs["member"]).removeprefix("serviceAccount:").partition("@")[0]
        for each in recorded.of("serviceaccount/iAMMember:IAMMember")
        if each.inputs["role"] == _ON_ITSELF
    }
    for workload in ("lakefs", "label-studio"):
        if not any(account.startswith(workload) for account in signing):
            yield f"{workload} cannot"


@invariant
def each_pod_is_one_account_and_each_account_one_pod(recorded: Recorded) -> Iterator[str]:
    """Workload Identity from both ends: IAM's member, and the annotation GKE reads."""
    members = {
        str(each.inputs["member"]): str(each.inputs["serviceAccountId"]).rpartition("/")[2]
        for each in recorded.of("serviceaccount/iAMMember:IAMMember")
        if each.inputs["role"] == _WORKLOAD_IDENTITY
    }
    if len(set(members.values())) != len(members):
        yield f"two pods share an account: {members}"
    annotated = {
        _identity(recorded, each): each.at("metadata.annotations")["iam.gke.io/gcp-service-account"]
        for each in kubernetes(recorded, "ServiceAccount")
        if "gcp-service-account" in str(each.at("metadata.annotations"))
    }
    if annotated != members:
        yield f"IAM knows {members}, and the ServiceAccounts say {annotated}"
    if len(members) != len({"lakefs", "label-studio"}):
        yield f"{len(members)} accounts for two servers"


def _identity(recorded: Recorded, account: Resource) -> str:
    pool = f"{recorded.config['gcp:project']}.svc.id.goog"
    name = f"{account.at('metadata.namespace')}/{account.at('metadata.name')}"
    return f"serviceAccount:{pool}[{name}]"
