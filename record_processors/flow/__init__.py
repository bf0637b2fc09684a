"""The flow itself: record, transformer, filter, buffer, emitter, and what each promises the others.

This room imports ``config``, ``errors`` and ``events``. It knows no AWS, no daemon, and no clock
of its own.
"""
