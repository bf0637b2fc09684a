"""What runs pipelines on hosts: systemd's units, and the user data of a host on EC2.

This room imports ``config``.
"""
