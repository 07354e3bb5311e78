"""How property tests run: the machine's load is no finding, CI always tries the same examples."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "ops",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ops")
