"""The terminal itself: drawing, clipboard, screenshots, external commands, hangups."""
