"""Destinations, one room each: all that is known of one stands on its class and beside it.

This room imports ``files``, ``filters``, ``aws``, ``flow``, ``config``, ``errors``, ``events`` and
``extras``. No destination imports another. A new one is a file or folder here, and a line of
``config/registry.py``.
"""
