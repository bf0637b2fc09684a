"""What runs pipelines on hosts: systemd's units, the user data of a host on EC2, a stack of hosts.

This room imports ``aws``, ``config``, ``errors``, ``files``, ``flow``, ``kcl`` and
``ops``.
"""
