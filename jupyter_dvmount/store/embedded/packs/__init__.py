"""The bytes of files and trees: cut, hashed, compressed, and put into packs."""
