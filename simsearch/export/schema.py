"""The statements that make, index, fill and swap the tables of PostgreSQL.

Names of ours are constants; the name of the schema comes quoted, from who knows how.
"""

from __future__ import annotations

from simsearch.export.tables import Table

LOADING = "loading_"
"""What the names of tables begin with until they take their place."""

SCHEMA_COMMENT = "Related clinical trials, exported by simsearch."


def create(schema: str, table: Table, prefix: str = "") -> list[str]:
    """Return the statements that make a table, without its key and indexes.

    Args:
        schema: its name, quoted.
        table: the table.
        prefix: what the name of the table begins with.
    """
    name = f"{schema}.{prefix}{table.name}"
    columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    return [
        f"CREATE TABLE {name} ({columns})",
        f"COMMENT ON TABLE {name} IS {_quoted(table.comment)}",
        *(
            f"COMMENT ON COLUMN {name}.{column.name} IS {_quoted(column.comment)}"
            for column in table.columns
        ),
    ]


def index(schema: str, table: Table, prefix: str = "") -> list[str]:
    """Return the statements that make the key and the indexes of a table, once it is filled."""
    name = f"{schema}.{prefix}{table.name}"
    key = ", ".join(table.key)
    return [
        f"ALTER TABLE {name} ADD CONSTRAINT {prefix}{table.name}_pkey PRIMARY KEY ({key})",
        *(f"CREATE INDEX {prefix}{each} ON {name} {on}" for each, on in table.indexes.items()),
        f"ANALYZE {name}",
    ]


def hnsw(schema: str, prefix: str = "") -> str:
    """Return the statement that makes the index for approximate search by the text."""
    return (
        f"CREATE INDEX {prefix}study_embedding_hnsw ON {schema}.{prefix}study_embedding "
        "USING hnsw (text halfvec_ip_ops)"
    )


def drop(schema: str, table: Table, prefix: str = "") -> str:
    """Return the statement that drops a table if it is there; not what depends on it."""
    return f"DROP TABLE IF EXISTS {schema}.{prefix}{table.name}"


def take_place(schema: str, table: Table, *, with_hnsw: bool = False) -> list[str]:
    """Return the statements that drop a table and put the loaded one in its place."""
    indexes = [f"{table.name}_pkey", *table.indexes]
    if with_hnsw and table.name == "study_embedding":
        indexes.append("study_embedding_hnsw")
    return [
        drop(schema, table),
        f"ALTER TABLE {schema}.{LOADING}{table.name} RENAME TO {table.name}",
        *(f"ALTER INDEX {schema}.{LOADING}{each} RENAME TO {each}" for each in indexes),
    ]


def copy(schema: str, table: Table, prefix: str = "") -> str:
    """Return the statement that takes the rows of a table from the client, in binary."""
    names = ", ".join(table.names)
    return f"COPY {schema}.{prefix}{table.name} ({names}) FROM STDIN (FORMAT binary)"


def upsert(schema: str, table: Table, source: str) -> str:
    """Return the statement that puts the rows of another table into a table."""
    names = ", ".join(table.names)
    others = [name for name in table.names if name not in table.key]
    change = ", ".join(f"{name} = excluded.{name}" for name in others)
    return (
        f"INSERT INTO {schema}.{table.name} ({names}) SELECT {names} FROM {source} "
        f"ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {change}"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
