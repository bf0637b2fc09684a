"""What an operator asks of pipelines that run: how far, is anything missing, what was refused.

This room imports ``kcl``, ``files``, ``aws``, ``flow``, ``config`` and ``errors``.
"""
