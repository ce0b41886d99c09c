"""The command ``dvmount``: one module a noun; parse, call, render."""
