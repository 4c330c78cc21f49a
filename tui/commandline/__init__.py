"""The command line: parser, commands, completion, doctor."""
