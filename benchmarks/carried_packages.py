"""A folder of Python packages that was brought to a machine without network (on_gpu.py)."""

from __future__ import annotations

import re
import sys
import zipfile
from importlib import metadata
from pathlib import Path

FROM_THE_MACHINE = ("torch", "numpy")  # made for its driver, and for each other


def unpacked(folder: Path, scratch: Path) -> Path:
    """The folder to import from: this one, or where its wheels that are not on the machine have been unpacked to.

    Raises: SystemExit if the folder would hide what must come from the machine.
    """
    if not folder.is_dir():
        raise SystemExit(f"There is no folder {folder}. --wheels takes a folder of wheels, or of installed packages.")
    hidden = [name for name in FROM_THE_MACHINE if (folder / name).is_dir()]
    if hidden:
        raise SystemExit(f"{folder} holds {' and '.join(hidden)}, which must come from the machine. Take them out.")
    wheels = sorted(folder.glob("*.whl"))
    if not wheels:
        return folder.resolve()
    target = scratch / "packages"
    target.mkdir()
    for wheel in wheels:
        reason = why_not(wheel.name)
        print(f"{wheel.name}: {reason or 'unpacked'}", flush=True)
        if reason is None:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(target)
    return target


def why_not(name: str) -> str | None:
    """Why a wheel is not taken, by its file's name; None if it is."""
    distribution, version, *_, python, abi, _platform = name.removesuffix(".whl").split("-")
    if re.sub(r"[-_.]+", "-", distribution).lower() in FROM_THE_MACHINE:
        return "skipped, it must come from the machine"
    try:
        return f"skipped, version {metadata.version(distribution)} is here"
    except metadata.PackageNotFoundError:
        pass
    mine = f"cp{sys.version_info.major}{sys.version_info.minor}"
    if abi == "abi3" or mine in python.split(".") or any(tag.startswith("py3") for tag in python.split(".")):
        return None
    return f"skipped, made for {python}, and this is {mine} ({version})"
