"""Makes the line of a report, as progrun-protocol(5) describes it."""

from __future__ import annotations

import json
import select
from typing import SupportsIndex, Union

Number = Union[int, float]
Id = Union[str, int]

# A pipe takes so much in one piece, however many processes write to it.
_LIMIT = select.PIPE_BUF

# For a string, this calls the function in C at once; `json.dumps` would make a new encoder each time.
_encode = json.JSONEncoder(ensure_ascii=False).encode


def line(
    progress: Number | None,
    total: Number | None,
    message: str | None,
    unit: str | None,
    percentage: Number | None,
    eta: Number | None,
    id: Id | None,
    parent: Id | None,
    title: str | None,
    status: str | None,
) -> bytes:
    """The line, with its newline. A message or a title that is too long for a pipe to take in one piece is cut.

    Without any field it is the empty line, which reports nothing.
    """
    fields = ""
    if id is not None:
        fields = f', "id": {_quoted(id)}'
        if parent is not None:
            fields += f', "parent": {_quoted(parent)}'
    if progress is not None:
        fields += f', "progress": {progress if type(progress) is int else _number(progress)}'
    if total is not None:
        fields += f', "total": {total if type(total) is int else _number(total)}'
    if percentage is not None:
        fields += f', "percentage": {_number(percentage)}'
    if eta is not None:
        fields += f', "eta": {_number(eta)}'
    if unit is not None:
        fields += f', "unit": {_quoted(unit)}'
    if status is not None:
        fields += f', "status": {_quoted(status)}'
    texts = ""
    if title is not None:
        texts = f', "title": {_quoted(title)}'
    if message is not None:
        texts += f', "message": {_quoted(message)}'
    whole = _bytes(fields + texts)
    if len(whole) > _LIMIT and texts:
        return _cut(fields, title, message)
    return whole


def _quoted(text: object) -> str:
    """A text in JSON. What is no text, such as a path or the number of a part, is made one."""
    return _encode(text if isinstance(text, str) else str(text))


def _bytes(fields: str) -> bytes:
    if not fields:
        return b"\n"
    # A file name need not be UTF-8, a report has to be.
    return ("{" + fields[2:] + "}\n").encode("utf-8", "replace")


def _number(number: Number) -> str:
    """The number in JSON. progrun warns of a number that it cannot use, and the script goes on."""
    if type(number) is int:
        return str(number)
    # JSON knows no `True`, and a number of numpy has a longer name for itself.
    if isinstance(number, SupportsIndex):
        return str(int(number))
    try:
        return repr(float(number))
    except (TypeError, ValueError):
        # Without progrun, nothing looks at it.
        return _quoted(number)


def _cut(fields: str, title: str | None, message: str | None) -> bytes:
    """The line with its texts cut to equal shares of the room that there is."""
    texts = {name: str(text) for name, text in (("title", title), ("message", message)) if text is not None}
    room = _LIMIT - len(_bytes(fields)) - len(', "title": ""') - len(', "message": ""')
    for name, text in texts.items():
        fields += f', "{name}": ' + _quoted(_beginning(text, room // len(texts)))
    return _bytes(fields)


def _beginning(text: str, room: int) -> str:
    """The beginning of a text, so many bytes in JSON, with an ellipsis if anything is missing."""
    if _size(text) <= room:
        return text
    room -= _size("…")
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _size(text[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low] + "…"


def _size(text: str) -> int:
    return len(_quoted(text).encode("utf-8", "replace")) - len('""')
