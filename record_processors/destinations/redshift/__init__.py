"""Redshift: files loaded by COPY, each exactly once. All that is Redshift's is in this room.

A load, from the top down: ``emitter`` takes a batch of messages, or ``basic`` writes a file of
its own; ``loader`` takes their files; ``search`` loads them
together, or finds those that cannot be; ``load`` is one transaction of ``connection``: it
locks and asks the ``ledger``, writes COPY's manifest and runs it (``copy``), enters the files;
``fault`` says which file a failed COPY was about.
"""
