"""Label Studio: `ops.ports.Studio` and `ops.annotator_port.Annotators` on its own SDK.

`client` changes things and `annotators` acts in people's names, both by Label Studio's SDK, which
`sdk` opens; `reading` and `predictions` go past it. `transport` sends for all of them (the one file
that imports an HTTP library), `failures` words the errors. Why so: docs/adr/0008-sdks.md.
"""

from ops.studio.annotators import StudioAnnotators
from ops.studio.client import LabelStudio

__all__ = ["LabelStudio", "StudioAnnotators"]
