"""The class ids of a commit: as its version wrote them, or as the versions before it make them.

Owns where they are read. Which label gets which id is ops/core/classes.py's business.
"""

from collections.abc import Iterator, Sequence

from ops.core.audit import is_version
from ops.core.classes import Classes, decode_classes
from ops.core.names import CLASSES_PATH, LABEL_CONFIG_PATH
from ops.core.ontology import Ontology, parse_ontology
from ops.core.records import CommitId
from ops.errors import InvalidDataError
from ops.runner.context import Context


def read_classes(context: Context, commit: CommitId) -> Classes:
    """The classes that have an id at a commit. One request.

    Versions of before there were class ids have those that their label configs make, one after the
    other: the first one's in its order, then what each later one added. That takes one request a
    version and a 1 000 commits, and one for each label config there was.

    Raises:
        InvalidDataError: what is there is no list of classes.
    """
    data = context.lake.read(commit, CLASSES_PATH)
    if data is not None:
        return decode_classes(data)
    classes = Classes()
    for ontology in _ontologies(context, commit):
        classes = classes.extended(ontology)
    return classes


def _ontologies(context: Context, commit: CommitId) -> Iterator[Ontology]:
    """What each label config meant that a version up to a commit had, oldest first."""
    lake = context.lake
    log = lake.log(commit, first_parent=True)
    versions: Sequence[CommitId] = [one.id for one in log if is_version(one)][::-1]
    before: str | None = None
    for version, checksum in zip(
        versions, lake.checksums_at(versions, LABEL_CONFIG_PATH), strict=True
    ):
        if checksum is None or checksum == before:
            continue
        before = checksum
        data = lake.read(version, LABEL_CONFIG_PATH)
        try:
            yield parse_ontology((data or b"").decode())
        except (InvalidDataError, UnicodeDecodeError):
            # A version whose label config cannot be read has no order of labels to give.
            continue
