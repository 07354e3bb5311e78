"""Loads what warns of itself while it is imported, before warnings become errors."""

import importlib
import warnings

with warnings.catch_warnings():
    # pulumi_gcp 10.2 deprecates one of its own functions as it loads; nobody here calls it.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    importlib.import_module("pulumi_gcp.storage")
