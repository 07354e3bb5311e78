"""Who the programs in the cluster are, and the little each may do.

Owns one Google service account a workload, one for the nodes, and their roles. There are no keys:
a pod is known by its Kubernetes service account (Workload Identity). Every grant is a single member
added to a role, never a binding or a policy, which would throw out what others granted.

Deliberately not managed: people's own roles, the accounts of training jobs (they read over lakeFS's
S3 gateway, or get a role on the data bucket from whoever runs them), the creator of all this.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

READS_OBJECTS = "roles/storage.objectViewer"
WRITES_OBJECTS = "roles/storage.objectUser"
"""Objects alone: no role here reads or changes a bucket's settings, or who may use it."""
IMPERSONATES = "roles/iam.workloadIdentityUser"
SIGNS = "roles/iam.serviceAccountTokenCreator"
NODE = "roles/container.defaultNodeServiceAccount"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketRole:
    """A role on one bucket.

    Attributes:
        label: short name, unique within the workload; part of Pulumi's name of the grant.
        bucket: the bucket's name.
    """

    label: str
    bucket: pulumi.Input[str]
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadIdentityArgs:
    """Who a workload is.

    Attributes:
        account_id: of the Google service account.
        namespace: Kubernetes namespace of the pods.
        service_account: their Kubernetes service account.
        can_sign: whether it signs addresses of objects, as itself alone and without a key.
        roles: all that it may do in Cloud Storage.
    """

    account_id: str
    project: str
    namespace: str
    service_account: str
    display_name: str
    can_sign: bool
    roles: Sequence[BucketRole]


class WorkloadIdentity(pulumi.ComponentResource):
    """A Google service account that pods of one Kubernetes service account are.

    Attributes:
        email: for the annotation `iam.gke.io/gcp-service-account`.
        member: `serviceAccount:…`, for further grants.
        ready: the grants; pods started before them are denied, and some never ask again.
    """

    email: pulumi.Output[str]
    member: pulumi.Output[str]
    ready: Sequence[pulumi.Resource]

    def __init__(
        self, name: str, args: WorkloadIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the account, its grants, and who may be it."""
        super().__init__("labeling-ops:infra:WorkloadIdentity", name, None, opts)
        account = _account(
            self,
            name,
            project=args.project,
            account_id=args.account_id,
            display_name=args.display_name,
        )
        pool = f"{args.project}.svc.id.goog"
        pods = f"serviceAccount:{pool}[{args.namespace}/{args.service_account}]"
        grants: list[pulumi.Resource] = [
            _may_use(self, f"{name}-pods", account, role=IMPERSONATES, member=pods)
        ]
        if args.can_sign:
            # Given by the account to itself: it can sign for nobody else, and nobody else for it.
            itself = account.member
            grants.append(_may_use(self, f"{name}-signing", account, role=SIGNS, member=itself))
        grants += (self._bucket_role(name, account, each) for each in args.roles)
        self.email = account.email
        self.member = account.member
        self.ready = tuple(grants)
        self.register_outputs({"email": self.email})

    def _bucket_role(
        self, name: str, account: gcp.serviceaccount.Account, given: BucketRole
    ) -> gcp.storage.BucketIAMMember:
        return gcp.storage.BucketIAMMember(
            f"{name}-{given.label}",
            gcp.storage.BucketIAMMemberArgs(
                bucket=given.bucket, role=given.role, member=account.member
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeIdentityArgs:
    """Who the nodes are."""

    account_id: str
    project: str


class NodeIdentity(pulumi.ComponentResource):
    """The nodes' own service account, which can write logs and metrics and nothing else.

    The project's default account, which nodes have else, is an editor of the whole project in many
    organizations.

    Attributes:
        ready: the grant; nodes started without it are reported as broken.
    """

    email: pulumi.Output[str]
    member: pulumi.Output[str]
    ready: Sequence[pulumi.Resource]

    def __init__(
        self, name: str, args: NodeIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the account and its role."""
        super().__init__("labeling-ops:infra:NodeIdentity", name, None, opts)
        account = _account(
            self,
            name,
            project=args.project,
            account_id=args.account_id,
            display_name="Nodes of labeling-ops",
        )
        grant = gcp.projects.IAMMember(
            name,
            gcp.projects.IAMMemberArgs(project=args.project, role=NODE, member=account.member),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.email = account.email
        self.member = account.member
        self.ready = (grant,)
        self.register_outputs({"email": self.email})


def lakefs_roles(
    data_bucket: pulumi.Input[str], import_buckets: Sequence[str]
) -> tuple[BucketRole, ...]:
    """What lakeFS may do: anything to objects of its bucket, and read what is imported in place.

    Who runs the program must be allowed to grant on the import buckets, which others own.
    """
    imports = (
        BucketRole(label=f"import-{bucket}", bucket=bucket, role=READS_OBJECTS)
        for bucket in import_buckets
    )
    return (BucketRole(label="data", bucket=data_bucket, role=WRITES_OBJECTS), *imports)


def label_studio_roles(media_bucket: pulumi.Input[str]) -> tuple[BucketRole, ...]:
    """What Label Studio may do: anything to objects of its own bucket.

    Pictures to label reach it over lakeFS's S3 gateway, so it sees the commit a round is pinned to
    and not the bucket.
    """
    return (BucketRole(label="media", bucket=media_bucket, role=WRITES_OBJECTS),)


def _account(
    parent: pulumi.Resource, name: str, *, project: str, account_id: str, display_name: str
) -> gcp.serviceaccount.Account:
    return gcp.serviceaccount.Account(
        name,
        gcp.serviceaccount.AccountArgs(
            project=project, account_id=account_id, display_name=display_name
        ),
        opts=pulumi.ResourceOptions(parent=parent),
    )


def _may_use(
    parent: pulumi.Resource,
    name: str,
    account: gcp.serviceaccount.Account,
    *,
    role: str,
    member: pulumi.Input[str],
) -> gcp.serviceaccount.IAMMember:
    return gcp.serviceaccount.IAMMember(
        name,
        gcp.serviceaccount.IAMMemberArgs(service_account_id=account.name, role=role, member=member),
        opts=pulumi.ResourceOptions(parent=parent),
    )
