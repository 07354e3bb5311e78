"""What stands for Label Studio where a command or a training job works without one.

Owns the error for whoever asks it something after all.
"""

from typing import NoReturn, cast

from ops.errors import ConfigurationError
from ops.ports import Studio


class _NoStudio:
    """No server: each question says what is missing."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ConfigurationError(
            "setting-missing",
            "label_studio.url and label_studio.token are not set",
            subject="label_studio.url",
            unchanged="nothing was read or written",
            hint="set OPS_LABEL_STUDIO_URL and OPS_LABEL_STUDIO_TOKEN",
        )


def no_studio() -> Studio:
    """A Studio that cannot be asked anything."""
    # It has every method of the protocol, and each raises.
    return cast("Studio", _NoStudio())
