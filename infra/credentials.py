"""Every secret of the environment, generated once and kept in Pulumi's encrypted state.

Owns how long and of which characters each is. Nobody types one, and none is in a file of the
repository. Does not put them anywhere (infra/workloads.py does). One is made anew by taking its
protection off (`pulumi state unprotect URN`) and `pulumi up --replace URN`; what has to follow on
the servers, and which must never change, is told below and in secrets/README.md.
"""

from dataclasses import dataclass

import pulumi
import pulumi_random as random

_KEY_ID_PREFIX = "AKIA"
_KEY_ID_LENGTH = 20
"""LakeFS's S3 gateway finds no access key of more than 20 characters in a signature (1.84)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsArgs:
    """How the secrets are kept.

    Attributes:
        protect: whether Pulumi refuses to throw one away. lakeFS's encryption key, once gone, takes
            every stored access key along.
        with_ray: whether there is a Ray cluster that needs a token.
    """

    protect: bool
    with_ray: bool = False


class Credentials(pulumi.ComponentResource):
    """The secrets, each a secret output.

    Attributes:
        lakefs_access_key_id: of lakeFS's one administrator, 20 characters.
        lakefs_secret_access_key: its other half.
        lakefs_encryption_key: encrypts access keys in lakeFS's database; must never change.
        lakefs_signing_key: signs lakeFS's own physical addresses.
        lakefs_database_password: of PostgreSQL's user `lakefs`.
        label_studio_secret_key: Django's SECRET_KEY; whoever holds it is administrator.
        label_studio_password: of Label Studio's first user.
        label_studio_database_password: of PostgreSQL's user `label_studio`.
        postgres_password: of the in-cluster PostgreSQL's own administrator.
        ray_token: what Ray lets in, to run any code; None where there is no Ray.
    """

    lakefs_access_key_id: pulumi.Output[str]
    lakefs_secret_access_key: pulumi.Output[str]
    lakefs_encryption_key: pulumi.Output[str]
    lakefs_signing_key: pulumi.Output[str]
    lakefs_database_password: pulumi.Output[str]
    label_studio_secret_key: pulumi.Output[str]
    label_studio_password: pulumi.Output[str]
    label_studio_database_password: pulumi.Output[str]
    postgres_password: pulumi.Output[str]
    ray_token: pulumi.Output[str] | None

    def __init__(
        self, name: str, args: CredentialsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the secrets."""
        super().__init__("labeling-ops:infra:Credentials", name, None, opts)
        self._is_protected = args.protect
        # Not a RandomString, whose id, in plain text in the state, is the string itself.
        key_id = random.RandomPassword(
            "lakefs-access-key-id",
            random.RandomPasswordArgs(length=32, lower=False, special=False),
            opts=self._options(),
        )
        self.lakefs_access_key_id = pulumi.Output.secret(
            key_id.result.apply(lambda text: f"{_KEY_ID_PREFIX}{text}"[:_KEY_ID_LENGTH])
        )
        self.lakefs_secret_access_key = self._secret("lakefs-secret-access-key", 40)
        self.lakefs_encryption_key = self._secret("lakefs-encryption-key", 64)
        self.lakefs_signing_key = self._secret("lakefs-signing-key", 64)
        self.lakefs_database_password = self._secret("lakefs-database-password", 40)
        self.label_studio_secret_key = self._secret("label-studio-secret-key", 64)
        self.label_studio_password = self._secret("label-studio-password", 32)
        self.label_studio_database_password = self._secret("label-studio-database-password", 40)
        self.postgres_password = self._secret("postgres-password", 40)
        self.ray_token = self._secret("ray-token", 64) if args.with_ray else None
        self.register_outputs({})

    def _secret(self, name: str, length: int) -> pulumi.Output[str]:
        # Letters and digits alone: they stand in URLs, YAML, shells and HTTP headers as they are.
        generated = random.RandomPassword(
            name,
            random.RandomPasswordArgs(length=length, special=False),
            opts=self._options(),
        )
        return pulumi.Output.secret(generated.result)

    def _options(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self,
            protect=self._is_protected,
            additional_secret_outputs=["result", "bcryptHash"],
        )
