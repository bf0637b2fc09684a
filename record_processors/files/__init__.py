"""A file in S3: what it is, how rows become its bytes, and the chain that a shard's files form.

This room imports ``aws``, ``flow``, ``config``, ``errors`` and ``events``. It knows no destination.
"""
