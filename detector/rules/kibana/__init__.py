"""Kibana's exports: rules, exception lists, saved queries, and filters of the query bar."""
