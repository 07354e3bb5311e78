"""The programs by which a stack without public address is reached.

Owns which are needed and where they are to be had. Runs none.
"""

import shutil

from ops.errors import ConfigurationError

_AUTH_PLUGIN = "gke-gcloud-auth-plugin"
_HINTS = {
    "kubectl": "gcloud components install kubectl\nor install it from https://kubernetes.io/docs/"
    "tasks/tools, and have its folder on PATH",
    _AUTH_PLUGIN: "gcloud components install gke-gcloud-auth-plugin\nor, with gcloud from "
    "packages: apt-get install google-cloud-cli-gke-gcloud-auth-plugin",
}


def needed_programs(kubeconfig: str) -> tuple[str, ...]:
    """What must be on PATH to use a kubeconfig."""
    return ("kubectl", _AUTH_PLUGIN) if _AUTH_PLUGIN in kubeconfig else ("kubectl",)


def check_programs(kubeconfig: str) -> None:
    """Make sure that they are there.

    Raises:
        ConfigurationError: one is not; the error says how to install it.
    """
    for name in needed_programs(kubeconfig):
        if shutil.which(name) is None:
            raise ConfigurationError(
                "no-program",
                f"there is no program {name} on PATH",
                subject=name,
                unchanged="nothing was started",
                hint=_HINTS[name],
            )
