"""``dvm://repo@ref/path`` for everything that opens files through fsspec: pandas, pyarrow, dask, Pillow …"""

from .filesystem import DvmFileSystem

__all__ = ["DvmFileSystem"]
