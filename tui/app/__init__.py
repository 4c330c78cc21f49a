"""The app: opening, navigation, sessions, keys."""
