"""The activity of principals: who called what, from where and how often, by day."""
