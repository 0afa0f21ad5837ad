"""The command `simsearch`: parses, calls the library and prints. `start` is where it begins."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # as in `simsearch`
if TYPE_CHECKING:
    from typing import Any, NoReturn

INTERRUPTED = 130
"""How the command ends after Ctrl-C, as shells have it: 128 and the number of the signal."""


def start() -> NoReturn:
    """Run the command; Ctrl-C ends it without a word at any time, also while it is loading.

    Libraries that are being loaded turn an interrupt into errors of their own, or lose it: what
    counts is that there was one.
    """
    was_interrupted = False

    def interrupt(*_: object) -> NoReturn:
        nonlocal was_interrupted
        was_interrupted = True
        raise KeyboardInterrupt

    def lost(problem: Any) -> None:
        if was_interrupted:
            os._exit(INTERRUPTED)
        sys.__unraisablehook__(problem)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # nohup ignores it
        signal.signal(signal.SIGINT, interrupt)
        sys.unraisablehook = lost
    try:
        from simsearch.cli.main import main

        main()
    except SystemExit:
        raise
    except BaseException:
        if not was_interrupted:
            raise
        sys.exit(INTERRUPTED)
    finally:  # threads that are ending say nothing either
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
