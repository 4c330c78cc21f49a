"""The reading of tables: CSV, Parquet, and JSON whose columns are named once."""
