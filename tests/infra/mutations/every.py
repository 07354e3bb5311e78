"""All mutations. A line that was rewritten fails the test until its row follows."""

from collections.abc import Sequence

from tests.infra.mutations import access, data, edges, pods, ray, servers
from tests.infra.mutations.row import Mutation

__all__ = ["MUTATIONS", "Mutation"]

MUTATIONS: Sequence[Mutation] = (
    *access.MUTATIONS,
    *data.MUTATIONS,
    *edges.MUTATIONS,
    *pods.MUTATIONS,
    *ray.MUTATIONS,
    *servers.MUTATIONS,
)
