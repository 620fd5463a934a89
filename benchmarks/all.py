"""Every benchmark, one after another; exit code 1 if a bar is missed.

python benchmarks/all.py
"""

import subprocess
import sys
from pathlib import Path

SCRIPTS = (
    "metrics",
    "topk",
    "item_knn",
    "implicit_als",
    "bpr",
    "ease",
    "ratings",
    "encoding",
    "lightgcn",
    "sasrec",
    "distributed",
    "quality",
)


def main() -> int:
    missed = []
    for name in SCRIPTS:
        print(f"\n# {name}", flush=True)
        script = Path(__file__).with_name(f"{name}.py")
        if subprocess.run([sys.executable, script]).returncode:
            missed.append(name)
    print(f"\n{'missed a bar: ' + ', '.join(missed) if missed else 'every bar is passed'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
