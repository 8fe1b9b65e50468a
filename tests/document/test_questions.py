"""A newcomer's first hour: a Korean and an English PDF, questions in both languages, no key and no network."""

from tests.document.conftest import ENGLISH, KOREAN, Library

QUESTIONS = (
    ("How many books can I borrow?", ENGLISH.name, "twelve books"),
    ("When does the library open on Saturday?", ENGLISH.name, "ten on Saturdays"),
    ("점심 식사는 얼마인가요?", KOREAN.name, "육천 원"),
    ("휴가는 며칠인가요?", KOREAN.name, "이십오 일"),
    ("How many days of vacation do employees get?", KOREAN.name, "이십오 일"),
    ("책을 몇 권 빌릴 수 있나요?", ENGLISH.name, "twelve books"),
)


async def test_questions_in_two_languages_find_the_right_document(library: Library) -> None:
    for pdf in (ENGLISH, KOREAN):
        document = await library.add(pdf.name, pdf.read_bytes())
        assert (document["status"], document["active_version"], document["content_type"]) == (
            "ready",
            1,
            "application/pdf",
        )
    for question, name, words in QUESTIONS:
        best = (await library.search(question))[0]
        assert (best["document_name"], words in best["text"]) == (name, True), question
        assert best["page"] in (1, 2)
        assert 0.2 < best["score"] <= 1
