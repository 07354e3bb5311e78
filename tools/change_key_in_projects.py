"""Gives lakeFS's key to every project of Label Studio that shows pictures with one.

    python -m tools.change_key_in_projects

Run after lakeFS's key was changed: a project keeps the key it was made with. Servers and
credentials are those of `ops config show`. A storage with an address of its own is somebody's
bucket and is passed over: lakeFS is at the address that only Label Studio's operator sets. Safe to
repeat.
"""

from contextlib import closing

from ops.cli.session import Session
from ops.studio import LabelStudio


def change(studio: LabelStudio, access_key_id: str, secret_access_key: str) -> list[str]:
    """Give the key to all projects; the buckets it was given for, one a project.

    A request a 100 projects, and three a project.

    Raises:
        ConfigurationError: Label Studio cannot read a bucket with this key.
    """
    changed: list[str] = []
    projects = [row.id for row in studio.sdk.projects.list() if row.id is not None]
    for project in projects:
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


def main() -> None:
    """Do it with the settings of this directory."""
    need = Session().settings.need
    with closing(LabelStudio(need("label_studio.url"), need("label_studio.token"))) as studio:
        changed = change(studio, need("lakefs.access_key_id"), need("lakefs.secret_access_key"))
    print(f"{len(changed)} projects have lakeFS's key now")  # noqa: T201 - its result


if __name__ == "__main__":
    main()
