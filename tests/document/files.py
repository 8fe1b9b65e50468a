"""Documents that are read, and documents that are refused."""

import io
import zipfile

import docx
import pypdf

from tests.document.conftest import ENGLISH


def word(*paragraphs: str) -> bytes:
    """A Word document with a table after its paragraphs."""
    document, output = docx.Document(), io.BytesIO()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    row = document.add_table(1, 2).rows[0]
    row.cells[0].text, row.cells[1].text = "colour", "turquoise"
    document.save(output)
    return output.getvalue()


def word_bomb() -> bytes:
    """A Word document that unpacks to 8 MB."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("word/document.xml", bytes(8 * 1024 * 1024))
    return output.getvalue()


def encrypted_pdf(password: str) -> bytes:
    """A PDF that opens with `password`."""
    writer, output = pypdf.PdfWriter(clone_from=ENGLISH), io.BytesIO()
    writer.encrypt(user_password=password, owner_password="owner", algorithm="AES-256")
    writer.write(output)
    return output.getvalue()


def blank_pdf() -> bytes:
    """A PDF without text, as a scanner makes it."""
    writer, output = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(200, 200)
    writer.write(output)
    return output.getvalue()
