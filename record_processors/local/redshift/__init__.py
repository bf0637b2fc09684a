"""The stand-in for Amazon Redshift: PostgreSQL behind a proxy that knows Redshift's COPY.

One command starts it: ``python -m record_processors.local.redshift --directory DIR``.

===================  ===================================================================
module               what it knows
===================  ===================================================================
``postgres``         the cluster behind the proxy: made, started, never left behind
``system_tables``    what Redshift has and PostgreSQL lacks: load errors, ``getdate()``
``wire``             the messages of the PostgreSQL protocol, version 3
``sql``              tokens and statements of an SQL text
``dialect``          Redshift's SQL into PostgreSQL's, and what Redshift refuses
``create_table``     the DDL part of that (``column_types``: Redshift's types)
``copy_statement``   ``COPY … FROM 's3://…'`` (``cursor``: its tokens)
``copy_options``     what follows the source, each option
``layout``           what the options say about a file's bytes
``copy_columns``     which columns of its table a COPY loads
``sources``          the manifest and the files in S3
``rows``             a file's bytes into rows (``json_rows``: into JSON values)
``fields``           a row of text or CSV into fields
``json_fields``      a JSON value into fields (``jsonpaths``: by paths)
``columns``          which values a column takes (``times``, ``super_values``)
``encoder``          fields into the text that PostgreSQL's COPY reads
``trial``            which rows the server would refuse, found without the table
``sieve``            a file's rows without those that cannot be loaded
``progress``         how far a COPY is in a file, and what it leaves out
``load``             one COPY: its files, its progress, what went wrong and where
``copy_run``         one COPY in its session: rows to the server, answer to the client
``server_problems``  PostgreSQL's complaint of a value, as Redshift words it
``planned_failures`` failures that a test plans
``failures``         the errors of COPY, worded as Redshift words them
``session``          a client's messages to the server and back
``proxy``            the door for clients
===================  ===================================================================
"""
