"""Views of results as rich renderables: tables, bars and text, without any arithmetic."""
