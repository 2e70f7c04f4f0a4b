# SPDX-License-Identifier: Apache-2.0
"""copy_tree FROM TO <names: makes TO hold the files of FROM whose names (ended by NUL) come in, and none
that an earlier copy brought and that is gone. A file that is the same keeps its time."""
import filecmp
import pathlib
import shutil
import sys


def main(source: pathlib.Path, target: pathlib.Path) -> None:
    names = {name for name in sys.stdin.buffer.read().decode().split("\0")
             if name and (source / name).is_file()}
    target.mkdir(parents=True, exist_ok=True)
    brought = target / ".brought"
    for name in set(brought.read_text().split("\0")) - names if brought.exists() else ():
        (target / name).unlink(missing_ok=True)
    changed = 0
    for name in names:
        old, new = source / name, target / name
        if new.is_file() and filecmp.cmp(old, new, shallow=False) and old.stat().st_mode == new.stat().st_mode:
            continue
        new.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(old, new)
        shutil.copymode(old, new)
        changed += 1
    brought.write_text("\0".join(sorted(names)))
    print(f"{len(names)} files, {changed} of them new or changed")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
