"""What runs pipelines on hosts: systemd units, the user data of a host on EC2.

This room imports ``config``.
"""
