"""A connection to a PostgreSQL server, and what its driver says in one line."""

from __future__ import annotations

from typing import Any

from simsearch.errors.base import one_line

_CONNECT_SECONDS = 15
_NO_CONNECTION = "08000"
_MAY_PASS = ("08", "57")  # classes of SQLSTATE: no connection, and an operator's intervention


def connected(address: str, **how: Any) -> Any:
    """Return a connection of psycopg; it names itself, and gives up after a while.

    Args:
        address: `postgresql://…`, or what else libpq takes; what it sets itself counts.
        how: further arguments of `psycopg.connect`.

    Raises:
        psycopg.Error: there is no such server, or it refuses.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    own = conninfo_to_dict(address)
    asked = {"connect_timeout": _CONNECT_SECONDS, "application_name": "simsearch"}
    missing: dict[str, Any] = {name: each for name, each in asked.items() if name not in own}
    return psycopg.connect(address, **missing, **how)


def is_unreachable(error: Exception) -> bool:
    """Report whether an error of the driver is that the server does not answer, or went away."""
    import psycopg

    diagnostics = getattr(error, "diag", None)
    state = (diagnostics and diagnostics.sqlstate) or _NO_CONNECTION
    return isinstance(error, psycopg.OperationalError) and state[:2] in _MAY_PASS


def driver_line(error: Exception) -> str:
    """Return what the driver says of an error, in one line; it names no password."""
    diagnostics = getattr(error, "diag", None)
    text = (diagnostics and diagnostics.message_primary) or str(error).partition("\n")[0]
    return one_line(text).strip() or "the server does not answer"
