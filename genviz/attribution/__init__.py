"""What a network sees in a given picture: which of its pixels make a target fire."""
