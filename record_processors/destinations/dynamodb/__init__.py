"""Items of a table of DynamoDB: the last record of a key, by position, is the item."""
