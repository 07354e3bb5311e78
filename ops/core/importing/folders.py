"""A folder per class: a picture's class is the folder it lies in.

Below `train`, `val`, `valid` or `test` the class is the next folder, and the first one goes into
the task's data as `folder`. A picture in no folder is one nobody has said anything of.
"""

from collections.abc import Iterable

from ops.core.importing.neutral import Answer, Mark, Reading, Reference, Shape

_PARTS = frozenset({"train", "val", "valid", "validation", "test"})


def read_folders(names: Iterable[str]) -> Reading:
    """What the places of pictures say; `names` are their paths below the folder, with `/`."""
    answers: list[Answer] = []
    unanswered: list[Reference] = []
    for name in names:
        *folders, _ = name.split("/")
        part = folders.pop(0) if folders and folders[0] in _PARTS and len(folders) > 1 else None
        if not folders or (len(folders) == 1 and folders[0] in _PARTS):
            unanswered.append(Reference(name=name))
            continue
        mark = Mark(label=folders[0], shape=Shape.CLASS, place=name)
        answers.append(
            Answer(
                picture=Reference(name=name),
                place=name,
                marks=(mark,),
                data={"folder": part} if part else {},
            )
        )
    return Reading(answers=tuple(answers), unanswered=tuple(unanswered))
