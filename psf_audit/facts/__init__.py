"""The evidence tables: what they hold, how facts get into them, and the views that criteria read."""
