"""The images on an engine: which are s2i's, what they consist of, what uses them, and which may go."""
