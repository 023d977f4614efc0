"""A font under another family name and with fixed line metrics, by fontTools."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

# Name IDs of the OpenType `name` table.
COPYRIGHT_ID, FAMILY_ID, STYLE_ID, UNIQUE_ID, FULL_NAME_ID, POSTSCRIPT_ID = 0, 1, 2, 3, 4, 6
LICENSE_ID, LICENSE_URL_ID = 13, 14
LEGAL_NAME_IDS = frozenset({COPYRIGHT_ID, LICENSE_ID, LICENSE_URL_ID})
"""Name IDs that every copy of a font must keep."""
WINDOWS, UNICODE_BMP, ENGLISH_US = 3, 1, 0x409
"""Platform, encoding and language of the entries of the `name` table that libass reads."""
ASCENT, DESCENT = 1.05, 0.35
"""Height above and below the baseline in em, the same in all fonts for equal line distances in all scripts."""


def rename_font(font: bytes, family: str) -> bytes:
    """Return a font with the family name `family`, the style `Regular` and lines of `ASCENT + DESCENT` em.

    Glyphs, layout tables, copyright and licence stay as they are. The same font and name give the same bytes.
    Raises `fontTools.ttLib.TTLibError` when `font` is no TrueType or OpenType font.
    """
    from fontTools.ttLib import TTFont

    with TTFont(io.BytesIO(font), recalcBBoxes=False, recalcTimestamp=False) as opened:
        _set_names(opened, family)
        _set_line_metrics(opened)
        if "STAT" in opened:
            del opened["STAT"]  # it describes the styles of the variable font that the subset comes from
        renamed = io.BytesIO()
        opened.save(renamed)
    return renamed.getvalue()


def _set_names(font: TTFont, family: str) -> None:
    """Keep the legal entries in English; replace all others."""
    names = font["name"]
    names.names = [
        record
        for record in names.names
        if record.nameID in LEGAL_NAME_IDS and (record.platformID, record.langID) == (WINDOWS, ENGLISH_US)
    ]
    postscript_name = "".join(character for character in family if character.isalnum())
    for name_id, text in {
        FAMILY_ID: family,
        STYLE_ID: "Regular",
        UNIQUE_ID: postscript_name,
        FULL_NAME_ID: family,
        POSTSCRIPT_ID: postscript_name,
    }.items():
        names.setName(text, name_id, WINDOWS, UNICODE_BMP, ENGLISH_US)


def _set_line_metrics(font: TTFont) -> None:
    """Set ascent and descent in the tables of all platforms, with no extra gap between lines."""
    em = font["head"].unitsPerEm
    ascent, descent = round(ASCENT * em), round(DESCENT * em)
    hhea, os2 = font["hhea"], font["OS/2"]
    hhea.ascent, hhea.descent, hhea.lineGap = ascent, -descent, 0
    os2.sTypoAscender, os2.sTypoDescender, os2.sTypoLineGap = ascent, -descent, 0
    os2.usWinAscent, os2.usWinDescent = ascent, descent
