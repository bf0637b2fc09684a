"""Under the KCL: the child that speaks the daemon's protocol, and the daemon itself with its Java.

This room imports ``aws``, ``flow``, ``config``, ``errors`` and ``events``; destinations it knows
by what their classes say.
"""
