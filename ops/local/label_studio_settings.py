"""Label Studio's own Django settings, with SQLite made safe.

Loaded by Label Studio's process alone (DJANGO_SETTINGS_MODULE). With the settings as shipped,
Label Studio 1.23.2 loses annotations without a word when an import runs while someone saves: a
write that finds the database locked is retried after its annotations were already taken out of
the request. IMMEDIATE transactions and a long timeout make writers wait instead.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

_package = find_spec("label_studio")
if _package is None or _package.origin is None:
    message = "label-studio is not installed in this environment"
    raise ImportError(message)
_shipped = Path(_package.origin).parent / "core" / "settings" / "label_studio.py"
# `import *` would fail: the shipped settings read themselves while they are being imported.
exec(compile(_shipped.read_bytes(), str(_shipped), "exec"), globals())  # noqa: S102 - their file

DATABASES: dict[str, dict[str, Any]] = globals()["DATABASES"]
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 60,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }

# As shipped, each request is logged twice: by this logger's handler and by the root's.
LOGGING: dict[str, dict[str, Any]] = globals()["LOGGING"]
LOGGING["loggers"]["django"]["propagate"] = False
