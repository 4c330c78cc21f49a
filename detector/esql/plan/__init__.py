"""Plan queries: from a syntax tree to stages that run over records."""
