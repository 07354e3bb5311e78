"""How property tests run: the machine's load is no finding."""

from hypothesis import HealthCheck, settings

settings.register_profile("ops", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ops")
