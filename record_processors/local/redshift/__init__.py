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
``create_table``     the DDL part of that
``copy_statement``   ``COPY … FROM 's3://…'`` and its options (``cursor``: its tokens)
``layout``           what the options say about a file's bytes
``sources``          the manifest and the files in S3
``rows``             a file's bytes into rows, rows into fields
``columns``          which values a column takes
``encoder``          fields into the text that PostgreSQL's COPY reads
``load``             one COPY: its files, its progress, what went wrong and where
``failures``         the errors of COPY, worded as Redshift words them
``session``          a client's messages to the server and back
``proxy``            the door for clients
===================  ===================================================================
"""
