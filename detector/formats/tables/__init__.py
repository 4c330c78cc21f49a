"""Reads tables: CSV, Parquet, and JSON that names its columns once."""
