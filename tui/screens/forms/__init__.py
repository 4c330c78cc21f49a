"""Questions that open over a screen. Each says what it will do, and keeps what was typed if that fails."""
