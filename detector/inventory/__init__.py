"""The user's knowledge of accounts, networks, principals and tools."""
