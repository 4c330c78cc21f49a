"""Values as text and color, without widgets."""
