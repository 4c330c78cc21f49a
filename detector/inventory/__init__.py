"""What people know of their accounts, networks, principals and tools."""
