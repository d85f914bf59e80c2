"""The command line `aec`: parse, call the API, print, exit code. Commands import what is heavy when they run.

Exit codes: 0 done; 1 some inputs failed, a result exists or can't be written; 2 usage; 3 not a valid .aec file or image;
4 model missing; 5 a target can't be met; 130 interrupted, by SIGTERM too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from .. import __version__
from . import anomalies, benchmark, compress, decompress, distributed, embed, export, info, train, train_classic, verify
from .messages import explain, say
from .signals import terminate_like_interrupt

EPILOG = """\b
Exit codes:
  0 done                      3 not a valid .aec file or image
  1 some inputs failed,       4 model missing
    or a result exists or     5 a target can't be met
    can't be written        130 interrupted
  2 usage
\b
Shell completion, for .bashrc (or source_zsh, source_fish):
  eval "$(_AEC_COMPLETE=source_bash aec)"
"""

INTERRUPTED = 130

app = typer.Typer(
    name="aec",
    epilog=EPILOG,
    add_completion="_AEC_COMPLETE" in os.environ,  # costs 35 ms, so only where a shell asks for it
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 110},
)

app.command(epilog=compress.EXAMPLES)(compress.compress)
app.command(epilog=decompress.EXAMPLES)(decompress.decompress)
app.command(epilog=info.EXAMPLES)(info.info)
app.command(epilog=verify.EXAMPLES)(verify.verify)
app.command()(benchmark.benchmark)
train.app.callback()(train_classic.train)
train.app.command(epilog=train_classic.EXAMPLES)(train_classic.classic)
app.add_typer(distributed.app, name="distributed")
app.add_typer(train.app, name="train")
app.command(epilog=export.EXAMPLES)(export.export)
app.command(epilog=embed.EXAMPLES)(embed.embed)
app.command(epilog=anomalies.EXAMPLES)(anomalies.anomalies)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"aec {__version__}")
        raise typer.Exit


@app.callback()
def _aec(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Photographs in fewer bytes: an image codec whose heart is a convolutional autoencoder."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line (that of the process if None); returns the exit code."""
    with terminate_like_interrupt():
        try:
            app(args=arguments, prog_name="aec")
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except KeyboardInterrupt:
            code = INTERRUPTED
        except Exception as error:
            message, code = explain(error)
            say(message)
        if code == INTERRUPTED:
            say("interrupted")
        return _flush(code)


def _flush(code: int) -> int:
    """Write out standard output while its errors can still be told."""
    try:
        sys.stdout.flush()
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            say(f"standard output: {error.strerror}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more when it ends
        return code or 1
    return code
