"""Label Studio: `ops.ports.Studio` and `ops.ports.Annotators` over its HTTP API.

`client` knows what each route really promises, `annotators` acts in people's names, `transport`
sends (the one file that imports an HTTP library), `failures` words the errors.

Label Studio's own Python SDK (2.1.2) is not used: it repeats a POST after a 5xx or a 409, which
would make a second project or import a batch twice; it has no `unique_id` and no `ids[]`; and
importing it costs 1.1 s CPU and 184 MB (its leanest useful part 0.29 s and 54 MB), httpx 0.15 s and
28 MB.
"""

from ops.studio.annotators import StudioAnnotators
from ops.studio.client import LabelStudio

__all__ = ["LabelStudio", "StudioAnnotators"]
