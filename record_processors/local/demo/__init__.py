"""The demonstration: real records from Kinesis into Redshift, on this machine."""
