"""Plan queries: compile a syntax tree to stages that run over records."""
