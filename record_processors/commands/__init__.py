"""The commands of ``kinesis-connectors``, one file each: its arguments and what it does.

This room imports ``local``, ``fleet``, ``ops``, ``kcl``, ``transformers``, ``aws``, ``flow``,
``config``, ``errors``, ``extras`` and ``progress``. A command imports what it needs when it runs.
"""
