"""A runner's context over the real servers, as the command line makes one."""

from datetime import UTC, datetime
from uuid import uuid4

from ops.cli.progress import QuietReporter
from ops.lake import LakeFS
from ops.local import Connection
from ops.runner.context import Context, MediaAccess
from ops.studio import LabelStudio


def real_context(servers: Connection, repository: str, *, overlap_s: int = 120) -> Context:
    """A context that narrates nowhere; no request yet."""
    return Context(
        lake=LakeFS(
            servers.lakefs_url,
            servers.lakefs_access_key_id,
            servers.lakefs_secret_access_key,
            repository,
        ),
        studio=LabelStudio(servers.label_studio_url, servers.label_studio_token),
        reporter=QuietReporter(),
        actor="lena@example.org",
        now=lambda: datetime.now(UTC),
        new_id=lambda: uuid4().hex,
        tool_version="0",
        media=MediaAccess(
            access_key_id=servers.lakefs_access_key_id,
            secret_access_key=servers.lakefs_secret_access_key,
        ),
        overlap_s=overlap_s,
    )
