"""The question bank and its practice."""
