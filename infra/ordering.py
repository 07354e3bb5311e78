"""What comes before what, where no output says it.

Owns one thing: options by which a component and all it holds wait for resources. Pulumi's own
`depends_on` of a component is not handed down to its children, which is where it matters.
"""

from collections.abc import Sequence

import pulumi


def after(resources: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
    """Options of a component that, with all in it, is made after `resources` and deleted before."""
    waiting = pulumi.ResourceOptions(depends_on=[*resources])

    def wait(
        declared: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult:
        options = pulumi.ResourceOptions.merge(declared.opts, waiting)
        return pulumi.ResourceTransformationResult(declared.props, options)

    return pulumi.ResourceOptions(transformations=[wait])
