"""What the catalog is made anew from."""
