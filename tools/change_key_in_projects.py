"""Gives lakeFS's key to every project of Label Studio that shows pictures with one.

    python -m tools.change_key_in_projects

Run after lakeFS's key was changed: a project keeps the key it was made with. Servers and
credentials are those of `ops config show`. A storage with an address of its own is somebody's
bucket and is passed over: lakeFS is at the address that only Label Studio's operator sets. Safe to
repeat.
"""

from collections.abc import Iterator
from contextlib import closing
from itertools import count

from ops.cli.session import Session
from ops.studio import LabelStudio


def change(studio: LabelStudio, access_key_id: str, secret_access_key: str) -> list[str]:
    """Give the key to all projects; the buckets it was given for, one a project.

    A request a 100 projects, and three a project.

    Raises:
        ConfigurationError: Label Studio cannot read a bucket with this key.
    """
    changed: list[str] = []
    for project in list(projects(studio)):
        for storage in studio.sdk.import_storage.s3.list(project=project):
            if storage.s3endpoint or storage.bucket is None:
                continue
            studio.connect_media(
                project,
                bucket=storage.bucket,
                access_key_id=access_key_id,
                secret_access_key=secret_access_key,
            )
            changed.append(storage.bucket)
    return changed


def projects(studio: LabelStudio) -> Iterator[int]:
    """The ids of all projects. A request a 100."""
    for number in count(1):
        # Not by iterating over the list, which asks for one page more than there is: a 404.
        page = studio.sdk.projects.list(
            include="id", ordering="id", page=number, page_size=100
        ).response
        yield from (row.id for row in page.results if row.id is not None)
        if page.next is None:
            return


def main() -> None:
    """Do it with the settings of this directory."""
    need = Session().settings.need
    with closing(LabelStudio(need("label_studio.url"), need("label_studio.token"))) as studio:
        changed = change(studio, need("lakefs.access_key_id"), need("lakefs.secret_access_key"))
    print(f"{len(changed)} projects have lakeFS's key now")  # noqa: T201 - its result


if __name__ == "__main__":
    main()
