"""The stand-ins: what the pipelines talk to when there is no AWS account; and a demonstration.

This room imports ``kcl``, ``destinations``, ``aws``, ``config``, ``errors`` and ``progress``.
"""
