"""The container of TrueType and OpenType fonts: just enough to give a font another name and another height of its lines."""

from __future__ import annotations

import struct

_PRESERVED_NAME_IDS = frozenset({0, 13, 14})
"""Entries of the name table that must travel with the font: copyright, licence, where the licence is."""


ASCENT, DESCENT = 1.05, 0.35
"""Above and below the baseline, in em: lines of every script stand equally far apart, whatever the font itself asks for."""


def rename_font(font: bytes, family: str) -> bytes:
    """The same letters under another family name, in lines of `ASCENT + DESCENT` em; copyright and licence stay.

    Raises struct.error if it is no sfnt font.
    """
    tables = _read_tables(font)
    postscript = "".join(character for character in family if character.isalnum())
    names = {1: family, 2: "Regular", 3: postscript, 4: family, 6: postscript}
    tables[b"name"] = _name_table(names, _preserved_names(tables.get(b"name", b"")))
    (em,) = struct.unpack(">H", tables[b"head"][18:20])
    ascent, descent = round(ASCENT * em), round(DESCENT * em)
    hhea, os2 = tables[b"hhea"], tables[b"OS/2"]
    tables[b"hhea"] = hhea[:4] + struct.pack(">hhh", ascent, -descent, 0) + hhea[10:]
    tables[b"OS/2"] = os2[:68] + struct.pack(">hhhHH", ascent, -descent, 0, ascent, descent) + os2[78:]
    tables.pop(b"STAT", None)  # names styles of the variable font that this one was cut from
    return _build_font(font[:4], tables)


def _read_tables(font: bytes) -> dict[bytes, bytes]:
    count = struct.unpack(">H", font[4:6])[0]
    found = {}
    for entry in range(count):
        tag, _, offset, length = struct.unpack(">4sLLL", font[12 + 16 * entry : 28 + 16 * entry])
        found[tag] = font[offset : offset + length]
    return found


def _preserved_names(table: bytes) -> list[tuple[int, bytes]]:
    """The entries for Windows and English that are not ours to change: (number, UTF-16 text)."""
    if not table:
        return []
    _, count, start = struct.unpack(">HHH", table[:6])
    kept = []
    for entry in range(count):
        record = struct.unpack(">HHHHHH", table[6 + 12 * entry : 18 + 12 * entry])
        platform, _, language, number, length, offset = record
        if platform == 3 and language == 0x409 and number in _PRESERVED_NAME_IDS:
            kept.append((number, table[start + offset : start + offset + length]))
    return kept


def _name_table(names: dict[int, str], kept: list[tuple[int, bytes]]) -> bytes:
    texts = sorted([*kept, *((number, name.encode("utf-16-be")) for number, name in names.items())])
    records, strings = b"", b""
    for number, text in texts:
        records += struct.pack(">HHHHHH", 3, 1, 0x409, number, len(text), len(strings))
        strings += text
    return struct.pack(">HHH", 0, len(texts), 6 + len(records)) + records + strings


def _build_font(version: bytes, tables: dict[bytes, bytes]) -> bytes:
    tables[b"head"] = tables[b"head"][:8] + bytes(4) + tables[b"head"][12:]
    power = len(tables).bit_length() - 1
    directory = version + struct.pack(">HHHH", len(tables), 16 << power, power, 16 * len(tables) - (16 << power))
    offset, body = 12 + 16 * len(tables), b""
    for tag in sorted(tables):
        table = tables[tag]
        directory += struct.pack(">4sLLL", tag, _checksum(table), offset + len(body), len(table))
        if tag == b"head":
            adjustment = len(body) + offset + 8
        body += table + bytes(-len(table) % 4)
    whole = bytearray(directory + body)
    struct.pack_into(">L", whole, adjustment, (0xB1B0AFBA - _checksum(bytes(whole))) & 0xFFFFFFFF)
    return bytes(whole)


def _checksum(data: bytes) -> int:
    data += bytes(-len(data) % 4)
    words: tuple[int, ...] = struct.unpack(f">{len(data) // 4}L", data)
    return sum(words) & 0xFFFFFFFF
