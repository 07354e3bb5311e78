"""Whether a browser that labels may read the bucket: the very question it would ask.

Owns one preflight request. Does not know the bucket's rules (ops bucket cors).
"""

import os
from urllib.parse import urlsplit

from ops.core.health import Diagnosis, healthy, skipped, suspect
from ops.live.web import ask

_NAME = "cors"
_STORE = "https://storage.googleapis.com"
_ANY = "*"


def examine_cors(bucket: str, label_studio_url: str) -> Diagnosis:
    """Ask a bucket of Google Cloud Storage as a page of Label Studio would. One request.

    STORAGE_EMULATOR_HOST is heeded, as Google's own libraries do.
    """
    parts = urlsplit(label_studio_url)
    origin = f"{parts.scheme}://{parts.netloc}"
    store = os.environ.get("STORAGE_EMULATOR_HOST", _STORE).rstrip("/")
    answer = ask(
        f"{store}/{bucket}/ops-doctor",
        method="OPTIONS",
        headers={"Origin": origin, "Access-Control-Request-Method": "GET"},
    )
    if answer.status == 0:
        return skipped(_NAME, f"{store} does not answer")
    allowed = answer.headers.get("access-control-allow-origin")
    if allowed == origin:
        return healthy(_NAME, f"pages of {origin} may read {bucket}")
    if allowed == _ANY:
        said = f"every page there is may read {bucket}, not those of {origin} alone"
    else:
        said = f"pages of {origin} may not read {bucket}: pictures by signed address stay blank"
    return suspect(_NAME, said, remedy=f"ops bucket cors set gs://{bucket} --origin {origin}")
