"""The buckets: what lakeFS and people keep, and what Label Studio keeps.

Owns two buckets, so that each workload has roles on its own alone, and everything said of them:
privacy, versions, soft deletion, lifecycle, CORS. Does not own who may read them
(infra/identity.py), nor the key they may be encrypted with (infra/encryption.py).

Deliberately not managed: retention locks (nobody could ever undo one; lakeFS needs none, and who
imports pictures in place from a bucket of their own sets one there), logs of each access (Data
Access audit logs are a setting of the whole project, one list a service, which others share),
storage classes (lakeFS reads old data, too).

**No lifecycle rule touches lakeFS's namespace.** lakeFS writes an object once and refers to it from
any commit, however old: age says nothing of whether it is needed, and one deleted object breaks all
versions that hold it. Every rule of the data bucket names the prefix it is for, and it is people's
own pictures. Even there the last version of a picture is kept: lakeFS may refer to it in place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

from infra.naming import IMAGES_PREFIX

DAY_S = 24 * 60 * 60
UPLOAD_DAYS = 7
"""After so many days an upload that was never finished is given up."""
OLD_VERSION_DAYS = 90
"""A replaced or deleted object is kept so long as a version, and as softly deleted after that."""
CORS_AGE_S = 3600
LOOPBACK_ORIGINS = tuple(
    f"http://{host}:{port}" for host in ("localhost", "127.0.0.1") for port in (8080, 18080)
)
"""Label Studio of a stack without a domain, as `kubectl port-forward` and `ops open --forward` show
it. Another page that stands at such an address still needs an address somebody signed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataBucketsArgs:
    """What the buckets are to be.

    Attributes:
        data_name: bucket of lakeFS's namespaces and people's pictures.
        media_name: bucket of Label Studio's uploads and exports.
        location: as `EUROPE-WEST1` or `EU`.
        origins: web origins whose pages may show objects by signed address.
        protect: whether `pulumi destroy` is refused and leaves the buckets alone; without it they
            are deleted with all that is in them.
        encryption_key: Cloud KMS key of the same location; None for Google's own.
    """

    project: str
    data_name: str
    media_name: str
    location: str
    soft_delete_days: int
    origins: Sequence[str]
    protect: bool
    labels: Mapping[str, str]
    encryption_key: pulumi.Input[str] | None = None


class DataBuckets(pulumi.ComponentResource):
    """The data bucket and the media bucket.

    Attributes:
        data_url: `gs://…`, without a slash at the end.
    """

    data_name: pulumi.Output[str]
    data_url: pulumi.Output[str]
    media_name: pulumi.Output[str]

    def __init__(
        self, name: str, args: DataBucketsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare both buckets."""
        super().__init__("labeling-ops:infra:DataBuckets", name, None, opts)
        data = self._bucket(f"{name}-data", args.data_name, args, _data_rules())
        media = self._bucket(f"{name}-media", args.media_name, args, _media_rules())
        self.data_name = data.name
        self.data_url = data.url
        self.media_name = media.name
        self.register_outputs({"dataUrl": self.data_url, "mediaName": self.media_name})

    def _bucket(
        self,
        logical_name: str,
        bucket_name: str,
        args: DataBucketsArgs,
        rules: Sequence[gcp.storage.BucketLifecycleRuleArgs],
    ) -> gcp.storage.Bucket:
        return gcp.storage.Bucket(
            logical_name,
            gcp.storage.BucketArgs(
                project=args.project,
                name=bucket_name,
                location=args.location,
                labels=args.labels,
                uniform_bucket_level_access=True,
                public_access_prevention="enforced",
                versioning=gcp.storage.BucketVersioningArgs(enabled=True),
                soft_delete_policy=gcp.storage.BucketSoftDeletePolicyArgs(
                    retention_duration_seconds=args.soft_delete_days * DAY_S
                ),
                lifecycle_rules=list(rules),
                cors=_cors(args.origins),
                encryption=_encryption(args.encryption_key),
                force_destroy=not args.protect,
                deletion_policy="PREVENT" if args.protect else "DELETE",
            ),
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, retain_on_delete=args.protect
            ),
        )


def origins(domain: str) -> tuple[str, ...]:
    """The web origins at which people see Label Studio: its domain, or their own machine's port."""
    return (f"https://{domain}",) if domain else LOOPBACK_ORIGINS


def _cors(allowed: Sequence[str]) -> list[gcp.storage.BucketCorArgs]:
    """Reading alone: what people upload goes through Label Studio or lakeFS."""
    return [
        gcp.storage.BucketCorArgs(
            origins=list(allowed),
            methods=["GET", "HEAD"],
            response_headers=["Content-Type", "Content-Length", "Content-Range", "ETag"],
            max_age_seconds=CORS_AGE_S,
        )
    ]


def _encryption(key: pulumi.Input[str] | None) -> gcp.storage.BucketEncryptionArgs | None:
    return None if key is None else gcp.storage.BucketEncryptionArgs(default_kms_key_name=key)


def _data_rules() -> list[gcp.storage.BucketLifecycleRuleArgs]:
    prefixes = [IMAGES_PREFIX]
    return [
        _rule(
            "AbortIncompleteMultipartUpload",
            gcp.storage.BucketLifecycleRuleConditionArgs(
                age=UPLOAD_DAYS, matches_prefixes=prefixes
            ),
        ),
        _rule(
            "Delete",
            gcp.storage.BucketLifecycleRuleConditionArgs(
                with_state="ARCHIVED",
                days_since_noncurrent_time=OLD_VERSION_DAYS,
                # At least one newer version: the last one of a deleted picture stays for good.
                num_newer_versions=1,
                matches_prefixes=prefixes,
            ),
        ),
    ]


def _media_rules() -> list[gcp.storage.BucketLifecycleRuleArgs]:
    return [
        _rule(
            "AbortIncompleteMultipartUpload",
            gcp.storage.BucketLifecycleRuleConditionArgs(age=UPLOAD_DAYS),
        ),
        _rule(
            "Delete",
            gcp.storage.BucketLifecycleRuleConditionArgs(
                with_state="ARCHIVED", days_since_noncurrent_time=OLD_VERSION_DAYS
            ),
        ),
    ]


def _rule(
    action: str, condition: gcp.storage.BucketLifecycleRuleConditionArgs
) -> gcp.storage.BucketLifecycleRuleArgs:
    return gcp.storage.BucketLifecycleRuleArgs(
        action=gcp.storage.BucketLifecycleRuleActionArgs(type=action), condition=condition
    )
