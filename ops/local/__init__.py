"""The embedded servers: Label Studio and lakeFS as background processes of one machine.

`stack` holds the verbs (up, down, status, logs, reset); `connection`, here, is cheap enough for
every command. Nothing below renders or knows of the command line; narration goes through
`ops.ports.Reporter`.
"""

from ops.local.state import Connection, connection

__all__ = ["Connection", "connection"]
