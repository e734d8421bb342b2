"""What a network does inside: measure first, then judge. Nothing here prints."""
