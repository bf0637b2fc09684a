"""What a ``.properties`` file says: settings, and the classes that it names by what they declare.

This room imports ``events``. The classes are loaded by name: see ``registry``.
"""
