"""OpenSearch itself on this machine, for those who ask for it: one node, loopback alone, empty."""
