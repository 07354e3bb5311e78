"""Where a verb's media reader comes from.

Owns the one place that builds it. Does not read anything itself.
"""

from ops.errors import ConfigurationError
from ops.ports import MediaReader
from ops.runner.context import Context


def open_gateway(context: Context) -> MediaReader:
    """What reads media over lakeFS's S3 gateway; no request yet.

    Raises:
        ConfigurationError: the context has no credentials to read with.
    """
    if context.open_gateway is not None:
        return context.open_gateway()
    if context.media is None:
        raise ConfigurationError(
            "setting-missing",
            "lakefs.access_key_id is not set: reading media over S3 takes credentials",
            subject="lakefs.access_key_id",
            unchanged="nothing was read or written",
            hint="set OPS_LAKEFS_ACCESS_KEY_ID and OPS_LAKEFS_SECRET_ACCESS_KEY",
        )
    from ops.gateway import Gateway

    return Gateway(
        context.lake.url,
        context.media.access_key_id,
        context.media.secret_access_key,
        context.lake.repository,
    )
