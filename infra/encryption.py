"""The key of whoever wants to hold one: of buckets, database and Kubernetes Secrets.

Owns the key ring, the key, its rotation, and the grants to the three Google services that use it.
Who destroys the key destroys all it encrypted: it is protected as the data is, and destroying a
version takes thirty days, in which it can be taken back.

Deliberately not managed: re-encryption after a rotation (objects keep the version they were written
with, which stays enabled), keys outside the region, hardware or external keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_gcp as gcp

ROTATION = f"{90 * 24 * 60 * 60}s"
DESTRUCTION_DELAY = f"{30 * 24 * 60 * 60}s"
USES = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
AGENTS: Mapping[str, str] = {"sql": "sqladmin.googleapis.com", "gke": "container.googleapis.com"}
"""Services that use the key as an agent of theirs, which exists once it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionArgs:
    """What the key is made of.

    Attributes:
        location: the region; a key serves resources of its own location alone.
        protect: whether `pulumi destroy` is refused and leaves the key alone.
    """

    project: str
    location: str
    protect: bool
    labels: Mapping[str, str]


class Encryption(pulumi.ComponentResource):
    """A key that Cloud Storage, Cloud SQL and GKE may use.

    Attributes:
        key_id: known once all three may use it, so that who takes it need not wait for grants.
    """

    key_id: pulumi.Output[str]

    def __init__(
        self, name: str, args: EncryptionArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the ring, the key and the grants."""
        super().__init__("labeling-ops:infra:Encryption", name, None, opts)
        key = self._key(name, args)
        members = {"storage": self._storage_agent(args.project, key)}
        for label, service in AGENTS.items():
            agent = gcp.projects.ServiceIdentity(
                f"{name}-{label}",
                gcp.projects.ServiceIdentityArgs(project=args.project, service=service),
                opts=pulumi.ResourceOptions(parent=self),
            )
            members[label] = agent.member
        grants = [
            gcp.kms.CryptoKeyIAMMember(
                f"{name}-{label}",
                gcp.kms.CryptoKeyIAMMemberArgs(crypto_key_id=key.id, role=USES, member=member),
                opts=pulumi.ResourceOptions(parent=self),
            )
            for label, member in members.items()
        ]
        self.key_id = pulumi.Output.all(key.id, *(each.id for each in grants)).apply(_first)
        self.register_outputs({"keyId": self.key_id})

    def _key(self, name: str, args: EncryptionArgs) -> gcp.kms.CryptoKey:
        # Neither is named: a ring exists for ever, and a stack made anew could not take its name.
        ring = gcp.kms.KeyRing(
            name,
            gcp.kms.KeyRingArgs(project=args.project, location=args.location),
            opts=self._kept(args),
        )
        return gcp.kms.CryptoKey(
            name,
            gcp.kms.CryptoKeyArgs(
                key_ring=ring.id,
                purpose="ENCRYPT_DECRYPT",
                rotation_period=ROTATION,
                destroy_scheduled_duration=DESTRUCTION_DELAY,
                labels=args.labels,
                deletion_policy="PREVENT" if args.protect else "DELETE",
            ),
            opts=self._kept(args),
        )

    def _kept(self, args: EncryptionArgs) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self, protect=args.protect, retain_on_delete=args.protect
        )

    def _storage_agent(self, project: str, key: gcp.kms.CryptoKey) -> pulumi.Output[str]:
        """Cloud Storage's agent, which exists only once its API was asked for it.

        The one question this program asks of a provider. It waits for the key, and so for the
        enabled APIs: the first preview of a new project goes without an answer.
        """
        agent = gcp.storage.get_project_service_account_output(
            project=project, opts=pulumi.InvokeOutputOptions(parent=self, depends_on=[key])
        )
        return agent.member


def _first(values: list[str]) -> str:
    return values[0]
