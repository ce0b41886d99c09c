"""Check a store, and make a lost catalog anew."""
