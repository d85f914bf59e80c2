"""Everything aecodec raises on purpose. The exit codes of the command line are those of the classes."""

from __future__ import annotations


class AecError(Exception):
    """Base of all errors that aecodec raises; the message is one line for people."""

    exit_code = 1


class FormatError(AecError):
    """The bytes are not a valid .aec file or image; the message names the field, its value and the limit."""

    exit_code = 3


class ModelError(AecError):
    """The model that a file was written with, or that was asked for, is missing or broken."""

    exit_code = 4


class LimitError(FormatError):
    """A valid file asks for more than `Limits` allow; the message names the limit and how to raise it."""


class UsageError(AecError):
    """An option has a value that it can't have."""

    exit_code = 2


class TargetError(AecError):
    """No quality meets the target; the message has the range that can be reached."""

    exit_code = 5
