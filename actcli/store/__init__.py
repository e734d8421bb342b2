"""What is known of a run besides its network: its history, and how it was judged."""
