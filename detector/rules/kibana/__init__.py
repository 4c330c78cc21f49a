"""What Kibana exports: rules, exception lists, saved queries, and the filters of its query bar."""
