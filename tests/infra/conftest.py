"""Loads what warns of itself while it is imported, before warnings become errors."""

import importlib
import warnings

with warnings.catch_warnings():
    # pulumi_gcp 10.2 deprecates names of its own as it loads; nobody here uses them.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    firsts = {"compute": "Network", "monitoring": "AlertPolicy", "storage": "Bucket"}
    for package, first in firsts.items():
        # A sub-package loads itself at the first look at what is in it.
        vars(getattr(importlib.import_module(f"pulumi_gcp.{package}"), first))
