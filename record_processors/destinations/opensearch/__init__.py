"""OpenSearch: each row a document, sent by ``_bulk``; a replay is the same document."""
