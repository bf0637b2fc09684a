"""AWS: clients, what their errors mean, and the things there that several destinations share.

This room imports ``flow``, ``config`` and ``errors``.
"""
