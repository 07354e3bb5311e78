"""lakeFS: `ops.ports.Lake` over its HTTP API.

`client` gives the methods their meaning. `sdk` has lakeFS's own SDK word all that changes refs, and
what is asked about them; `requests` words what is done with objects (docs/adr/0008-sdks.md says
why). `transport` sends both over the same connections, `failures` words the errors, and `crew`
keeps many in flight.
"""

from ops.lake.client import LakeFS

__all__ = ["LakeFS"]
