"""Checks that imports go downwards only, and that no file or kind of data is too long. `make test` runs it.

    5  cli, studio, recommender, table_gan
    4  api
    3  kinds (a kind never imports another one)
    2  planning, reports, privacy
    1  objectives, networks, engine, measures, diagnosis, explain      siblings are strangers to each other
    0  contracts, records, events, recipe, run, errors, core              these may know each other

ganforge/__init__.py is the door: it may name what it hands out, and what is above api may ask it for a verb. Imports
inside functions count as well.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

LAYERS = {
    5: ("cli", "studio", "recommender", "table_gan"),
    4: ("api",),
    3: ("kinds",),
    2: ("planning", "reports", "privacy"),
    1: ("objectives", "networks", "engine", "measures", "diagnosis", "explain"),
    0: ("contracts", "records", "events", "recipe", "run", "errors", "core"),
}
LAYER_OF = {part: layer for layer, parts in LAYERS.items() for part in parts}
DOORS = {
    "__init__": ("api", "errors", "recommender", "table_gan"),
    "__main__": ("cli",),
}  # what the package's own files may name
MOST_LINES = 400
KIND_LINES, TASK_LINES = 1_000, 500  # of a kind of data, and more for each of its tasks
# From before there was a budget; of sounds, files, features and streams serve every verb, and three more are to come.
# A new feature may raise these, nothing else.
LARGE_KINDS = {"pictures": 10_020, "tables": 22_150, "sounds": 7010, "text": 7_120, "interactions": 9_400}


def faults_of_layers(package: Path) -> Iterator[str]:
    """A sentence for every import of the package `ganforge` in folder `package` that does not go downwards."""
    for file in sorted(package.rglob("*.py")):
        part = file.relative_to(package).parts[0].removesuffix(".py")
        if part not in LAYER_OF and part not in DOORS:
            yield f"{file}: {part!r} has no layer. Name it in LAYERS of tools/check_layers.py."
            continue
        kind = _kind_of(file.relative_to(package).parts)
        for line, words in _imported(file, package):
            target = _part(words[0] if words else "__init__", package)
            if not _may_import(part, target):
                yield f"{file}:{line}: {part} may not import {target}. {_reason(part, target)}"
            other = _kind_of(words) if target == "kinds" and kind else None
            if other not in (None, kind):
                yield f"{file}:{line}: the kind {kind} may not import the kind {other}. Move what both need down."


def faults_of_length(folders: list[Path]) -> Iterator[str]:
    """A sentence for every Python file with more than 400 lines."""
    for folder in folders:
        for file in sorted(folder.rglob("*.py")):
            lines = len(file.read_text("utf-8").splitlines())
            if lines > MOST_LINES:
                yield f"{file}: {lines} lines. A person reads at most {MOST_LINES} in one sitting: split it."


def faults_of_budget(package: Path) -> Iterator[str]:
    """A sentence for every kind of data whose folder holds more lines than its tasks are worth."""
    for folder in sorted((package / "kinds").glob("*/")):
        if not (folder / "__init__.py").is_file():
            continue
        lines = sum(len(file.read_text("utf-8").splitlines()) for file in folder.rglob("*.py"))
        most = LARGE_KINDS.get(folder.name, KIND_LINES + TASK_LINES * _tasks_of(folder / "__init__.py"))
        if lines > most:
            yield f"{folder}: {lines:,} lines, and its budget is {most:,}. Move down a layer what others could use too."


def _tasks_of(door: Path) -> int:
    """How many tasks the KIND of a folder has: the entries of the argument `tasks`."""
    for node in ast.walk(ast.parse(door.read_text("utf-8"), str(door))):
        if isinstance(node, ast.keyword) and node.arg == "tasks" and isinstance(node.value, ast.Dict):
            return len(node.value.keys)
    return 0


def _may_import(part: str, target: str) -> bool:
    if part in DOORS:
        return target in DOORS[part]
    if part == target:
        return True
    if target == "__init__":  # the door, which hands out the verbs
        return LAYER_OF[part] > LAYER_OF["api"]
    if target not in LAYER_OF:
        return False
    return LAYER_OF[target] < LAYER_OF[part] or LAYER_OF[target] == LAYER_OF[part] == 0


def _reason(part: str, target: str) -> str:
    if part in DOORS:
        return f"Only {' and '.join(DOORS[part])} may be named there."
    if target == "__init__":
        return "Only what is above api may use the verbs."
    if target not in LAYER_OF:
        return "It is not a part with a layer."
    if LAYER_OF[target] == LAYER_OF[part]:
        return f"Both are in layer {LAYER_OF[part]}: siblings are strangers; let a layer above bring them together."
    return f"It is in layer {LAYER_OF[target]}, above layer {LAYER_OF[part]}."


def _kind_of(parts: Sequence[str]) -> str | None:
    """The kind of data that a file or module belongs to; None outside of kinds/, and for the files beside the kinds."""
    inside = parts[1] if len(parts) > 1 and parts[0] == "kinds" else None
    return inside if inside is not None and not inside.endswith(".py") else None


def _imported(file: Path, package: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, words behind `ganforge.`) for every import of the package, absolute or relative."""
    inside = (package.name, *file.relative_to(package).with_suffix("").parts)
    for node in ast.walk(ast.parse(file.read_text("utf-8"), str(file))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*inside[: len(inside) - node.level], *([node.module] if node.module else [])])
            module = base if node.level else node.module or ""
            outer = module in (package.name, f"{package.name}.kinds")  # then the names may be parts or kinds themselves
            names = [f"{module}.{alias.name}" for alias in node.names] if outer else [module]
        else:
            continue
        for name in names:
            words = name.split(".")
            if words[0] == package.name and words[1:] != ["__version__"]:  # a plain string, which anyone may know
                yield node.lineno, words[1:]


def _part(name: str, package: Path) -> str:
    """A file or folder of the package, or the package's own file for a name that it defines."""
    return name if (package / name).is_dir() or (package / f"{name}.py").is_file() else "__init__"


def main() -> int:
    """Prints every fault. Returns: the exit code, 1 if there is one."""
    root = Path(__file__).resolve().parent.parent
    folders = [root / name for name in ("src", "tests", "benchmarks", "tools") if (root / name).is_dir()]
    package = root / "src" / "ganforge"
    faults = [*faults_of_layers(package), *faults_of_length(folders), *faults_of_budget(package)]
    for fault in faults:
        print(fault.replace(f"{root}/", ""), file=sys.stderr)
    print(f"layers and lengths: {len(faults)} faults" if faults else "layers and lengths: as they should be")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
