"""``dvmount glob file``."""

from __future__ import annotations

import click

from jupyter_dvmount.store import FileInfo, Invalid
from jupyter_dvmount.store.glob import compile_glob

from .locations import COMMIT
from .render import Output, output_option, show_list
from .session import Session, pass_session


@click.command("file")
@click.argument("pattern", metavar="'REPO[@REF]:/GLOB'")
@output_option
@pass_session
def glob(session: Session, pattern: str, output: Output) -> None:
    """List the files and directories of a commit whose paths match a pattern.

    Quote it, or the shell expands it. `*` and `?` stay within a name, `**` does not. There are also [a-z],
    [!a-z], {a,b}, and the extended ?(a|b), *(a|b), +(a|b), @(a|b) and !(a|b). A backslash takes the meaning
    from the character behind it.

    \b
    dvmount glob file 'images@master:/*.png'
    dvmount glob file 'images@master:/2026/**/*.{png,jpg}'
    dvmount glob file 'images@master^:/pets/!(*.tmp)' -o json
    """
    place, colon, path = pattern.partition(":")
    if not colon or pattern.startswith("dvm://"):
        raise Invalid(f"{pattern!r} names no glob", fix="give 'REPO@REF:/GLOB', in quotes")
    commit = COMMIT.convert(place, None, None)
    compiled = compile_glob(path)
    reader = session.store().read(commit.repo, commit.ref)
    show_list((match.file for match in compiled.find(reader)), FileInfo, output)
