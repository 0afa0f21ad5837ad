"""An index, carried into the engines that teams already run.

tables      what is exported: tables, columns, and the comments that explain them
lists       the related list of every study, with percentiles, mutual neighbours and reasons
reasons     the lines that say why, computed by several processes
copy_format rows of the tables as PostgreSQL's binary COPY takes them
rows        the rows of every table, study by study, with a digest of each
schema      the statements that make, index, fill and swap the tables of PostgreSQL
postgres    into a server: whole, beside what is there, or the differences alone
sessions    a connection to a server: checks, its lock, its errors in one line
psql_files  the same as files, for a person who loads them with psql
opensearch  a mapping, bulk files and the swap of an alias
parquet     tables for DuckDB and everything else that reads Parquet
"""
