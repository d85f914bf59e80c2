"""Libraries of the extra `bench`, imported when they are used."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from ..errors import UsageError


class MissingLibraryError(UsageError):
    """A library of the extra `bench` isn't installed; the message names it and the extra."""


def need(module: str) -> ModuleType:
    """Import ``module``.

    Raises:
        MissingLibraryError: it isn't installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingLibraryError(f"the benchmark needs {package}: pip install 'aecodec[bench]' ({error})") from error


def version_of(distribution: str) -> str:
    """Version of an installed distribution, or "not installed"."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
