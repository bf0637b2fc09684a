"""What a record, a file, a shard and a start cost, against what they might: see README.md."""
