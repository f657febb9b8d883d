"""What a run was made with: versions of the packages that decide its numbers, and the revision of the source."""

from __future__ import annotations

import importlib.metadata
import pathlib
import platform
import subprocess

from rgunit_tf import __version__, legacy_keras

_PACKAGES = ("tensorflow", legacy_keras.PACKAGE, "numpy", "scann")


def versions() -> dict[str, str]:
    """Version by name of Python, this package and what it computes with."""
    found = {"python": platform.python_version(), "rgunit_tf": __version__}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "none"
    return found


def revision() -> str | None:
    """Git revision of the checkout that this package is run from, with `+` where files differ from it; or None."""
    root = pathlib.Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: pathlib.Path, *arguments: str) -> str:
    result = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, timeout=10, check=True)
    return result.stdout.strip()
