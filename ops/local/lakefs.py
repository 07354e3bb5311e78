"""The embedded lakeFS: its configuration and how it is known to be ready.

Owns lakefs.yaml. Does not find the binary (ops/local/lakefs_binary.py).
"""

import base64
import json
from pathlib import Path

from ops.local.home import Home, Service, make_private, write_private
from ops.local.loopback import HOST, Client
from ops.local.state import State

VERSION = "1.84.0"
_CONFIG_NAME = "lakefs.yaml"


def write_config(home: Home, state: State) -> Path:
    """Write the server's configuration, mode 0600, and give its path. Repeatable.

    Raises:
        ConfigurationError: the home cannot be written.
    """
    directory = make_private(home.data(Service.LAKEFS))
    path = directory / _CONFIG_NAME
    # JSON is YAML.
    write_private(path, json.dumps(_config(directory, state), indent=2) + "\n")
    return path


def _config(directory: Path, state: State) -> dict[str, object]:
    credentials = state.credentials
    return {
        "listen_address": f"{HOST}:{state.ports[Service.LAKEFS]}",
        "logging": {"format": "text", "level": "INFO", "output": ["-"]},
        "database": {
            "type": "local",
            "local": {"path": str(directory / "kv"), "sync_writes": True},
        },
        "auth": {"encrypt": {"secret_key": credentials.lakefs_auth_key}},
        "blockstore": {
            "type": "local",
            # The default signing key is a public constant.
            "signing": {"secret_key": credentials.lakefs_signing_key},
            "local": {"path": str(directory / "objects")},
        },
        "committed": {
            "local_cache": {"dir": str(directory / "cache"), "size_bytes": 256 * 2**20},
            "sstable": {"memory": {"cache_size_bytes": 50_000_000}},
        },
        # lakeFS 1.84 batches each KV read behind a 3 ms timer, which suits a remote KV; on one
        # node 0s makes uploads ten times as fast.
        "graveler": {"max_batch_delay": "0s"},
        "stats": {"enabled": False},
        "email_subscription": {"enabled": False},
        # Blank here because lakeFS ignores the empty environment variable and would call home.
        "security": {"check_latest_version": False, "audit_check_url": ""},
        "installation": {
            "user_name": "ops",
            "access_key_id": credentials.lakefs_access_key_id,
            "secret_access_key": credentials.lakefs_secret_access_key,
        },
    }


def command(binary: Path, config: Path) -> list[str]:
    """The program and arguments that serve."""
    return [str(binary), "--config", str(config), "run"]


def ready_version(state: State, *, timeout_s: float = 10) -> str | None:
    """The server's version once it serves our data to our credentials; None until then.

    Two requests.
    """
    client = Client(state.url(Service.LAKEFS), timeout_s=timeout_s)
    # /_health is 200 only after the first-admin setup.
    if client.get("/_health").status != 200:  # noqa: PLR2004 - HTTP
        return None
    credentials = state.credentials
    pair = f"{credentials.lakefs_access_key_id}:{credentials.lakefs_secret_access_key}"
    basic = "Basic " + base64.b64encode(pair.encode()).decode()
    answer = client.get("/api/v1/config", headers={"Authorization": basic})
    return answer.text_at("version_config", "version")


def has_pages(state: State, *, timeout_s: float = 10) -> bool:
    """Say whether the program carries the web pages; one built from the module does not.

    One request.
    """
    page = Client(state.url(Service.LAKEFS), timeout_s=timeout_s).get("/")
    return b"UI Not Built" not in page.body
