"""The Jupyter server extension: thin handlers over the store and the mount manager."""
