"""A copy of the program with one line broken, and which invariants notice.

Owns applying a mutation and running what comes of it, in worker processes that have the providers'
SDKs loaded already: half a second a mutant. The table is in tests/infra/mutations/.
"""

import importlib
import shutil
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.infra.mutations.row import Mutation

ROOT = Path(__file__).parents[2]
_COPIED = ("infra", "k8s")


class StaleMutationError(AssertionError):
    """The text a mutation changes is not there, or not once: the table must follow the program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a mutant.

    Attributes:
        broken: invariants that noticed, each with its first sentence.
        refused: what the program, or the mocks, raised instead; empty if it ran.
    """

    broken: Mapping[str, str]
    refused: str

    def is_caught_by(self, invariant: str) -> bool:
        """Whether this invariant noticed. A program that refuses to run is noticed by `refused`."""
        return invariant in self.broken or (invariant == "refused" and bool(self.refused))


def outcomes(mutations: Sequence[Mutation]) -> Sequence[Outcome]:
    """What becomes of each mutant, in order; on two processors, half a second a mutant.

    Raises:
        StaleMutationError: a mutation no longer applies.
    """
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=_load) as workers:
        return list(workers.map(outcome, mutations))


def outcome(mutation: Mutation) -> Outcome:
    """What becomes of one mutant. Replaces the loaded `infra`: for a process of its own."""
    from tests.infra.invariants.rule import broken
    from tests.infra.scenarios import declared

    with tempfile.TemporaryDirectory() as folder:
        for name in _COPIED:
            shutil.copytree(ROOT / name, Path(folder) / name)
        apply(mutation, Path(folder))
        sys.path.insert(0, folder)
        try:
            _forget()
            found = broken(declared(mutation.scenario))
        except StaleMutationError:
            raise
        except Exception as error:  # noqa: BLE001  whatever it raises is what became of it
            return Outcome(broken={}, refused=f"{type(error).__name__}: {error}")
        finally:
            sys.path.remove(folder)
            _forget()
    return Outcome(broken={name: sentences[0] for name, sentences in found.items()}, refused="")


def apply(mutation: Mutation, root: Path) -> None:
    """Change a copy of the program.

    Raises:
        StaleMutationError: the text is not in the file exactly once.
    """
    file = root / mutation.file
    text = file.read_text()
    if text.count(mutation.old) != 1:
        raise StaleMutationError(
            f"{mutation.file} has {mutation.old!r} {text.count(mutation.old)} times"
        )
    file.write_text(text.replace(mutation.old, mutation.new))


def _load() -> None:
    """Load what is slow, once a worker; pulumi_gcp warns of itself while it is loaded."""
    warnings.simplefilter("ignore")
    sys.dont_write_bytecode = True
    importlib.import_module("tests.infra.invariants.every")
    importlib.import_module("infra.__main__")
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name == "infra" or name.startswith("infra.")]:
        del sys.modules[name]
    importlib.invalidate_caches()
