"""What a ``.properties`` file says: settings, and the classes that it names by what they declare.

This room imports ``errors`` and no other room. The classes are loaded by name: see ``registry``.
"""
