"""Where resources were in earlier versions of this program.

Owns one table. Pulumi knows a resource by its URN: its own type and name, and the types of what
holds it. A resource that is renamed, or moves into another component, is to Pulumi an old one to
delete and a new one to make, and for a bucket or a database that is the end of its data (a
protected one refuses the update). So whoever moves one adds a row here in the same commit, and it
is the same resource at another place. Rows stay: a stack may skip versions.
"""

from collections.abc import Callable, Mapping, Sequence

import pulumi

Former = Mapping[str, Sequence[str]]

FORMER: Former = {}
"""`type::name` of a resource today, to the endings of the URNs it had: all that follows the
project's name in `pulumi stack --show-urns`. As an example, for a bucket that had no parent:

    "gcp:storage/bucket:Bucket::storage-data": ("gcp:storage/bucket:Bucket::data",)
"""


def recognizing(
    former: Former = FORMER,
) -> Callable[[pulumi.ResourceTransformationArgs], pulumi.ResourceTransformationResult | None]:
    """A transformation of the whole stack, by which moved resources are found again."""

    def transform(
        declared: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        endings = former.get(f"{declared.type_}::{declared.name}", ())
        if not endings:
            return None
        start = f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::"
        aliases = pulumi.ResourceOptions(aliases=[f"{start}{each}" for each in endings])
        options = pulumi.ResourceOptions.merge(declared.opts, aliases)
        return pulumi.ResourceTransformationResult(declared.props, options)

    return transform
