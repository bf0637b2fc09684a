"""Transformers, one idea a file. This room imports ``flow``, ``config`` and ``errors``."""
