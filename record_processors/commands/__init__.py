"""The commands of ``kinesis-connectors``, one file each: its arguments and what it does.

This room is on top: it may import all others. A command imports what it needs when it runs.
"""
