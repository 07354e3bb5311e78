"""A plain comparison of two folders of JSON files, as one writes it in five minutes.

    python -m bench.plain_diff LEFT RIGHT

Says how many files were added, removed and changed, and nothing about labels.
"""

import json
import sys
from pathlib import Path


def main() -> None:
    """Compare two folders."""
    sides = [
        {path.relative_to(root): json.loads(path.read_bytes()) for path in root.rglob("*.json")}
        for root in map(Path, sys.argv[1:3])
    ]
    left, right = sides
    changed = sum(left[path] != right[path] for path in left.keys() & right.keys())
    print(f"+{len(right.keys() - left.keys())} -{len(left.keys() - right.keys())} ~{changed}")


if __name__ == "__main__":
    main()
