"""The counterpart of ``native`` that decodes records instead of comparing their bytes.

It is used if there is no library, and for records in wrappers."""
