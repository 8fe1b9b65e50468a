"""Server-sent events out of bytes, in whatever pieces these come."""

_END, _BARE_END = b"\n", b"\r"
_MARK = b"\xef\xbb\xbf"


class EventReader:
    """Takes a stream's bytes, gives the data of the events that are whole. Names, numbers and comments are left out."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held: list[bytes] = []
        self._size = 0
        self._data: list[bytes] = []
        self._has_begun = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The events that end in `piece`. Raises `ValueError` when one is larger than it may be."""
        if _BARE_END in piece or (self._held and self._held[-1].endswith(_BARE_END)):
            piece = self._one_kind_of_end(piece)
        lines, end, rest = piece.rpartition(_END)
        if not end:
            self._hold(rest)
            return []
        whole = b"".join((*self._held, lines))
        self._held.clear()
        self._size = 0
        self._hold(rest)
        return self._events(whole.split(_END))

    def _one_kind_of_end(self, piece: bytes) -> bytes:
        """`piece` with line feeds only. A carriage return at its end waits for what follows."""
        if self._held and self._held[-1].endswith(_BARE_END):
            self._held[-1] = self._held[-1][:-1]
            piece = _BARE_END + piece
        tail = _BARE_END if piece.endswith(_BARE_END) else b""
        return piece.removesuffix(tail).replace(b"\r\n", _END).replace(_BARE_END, _END) + tail

    def _hold(self, rest: bytes) -> None:
        if rest:
            self._held.append(rest)
            self._size += len(rest)
        if self._size > self._most:
            raise ValueError(f"an event has more than {self._most} bytes")

    def _events(self, lines: list[bytes]) -> list[bytes]:
        found = []
        if not self._has_begun:
            # A stream may begin with the mark of its byte order.
            self._has_begun, lines[0] = True, lines[0].removeprefix(_MARK)
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            elif not line and self._data:
                found.append(self._data[0] if len(self._data) == 1 else _END.join(self._data))
                self._data = []
        return found
