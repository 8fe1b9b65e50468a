"""Makes the two handbooks: `uv run --with fpdf2 --with koreanize-matplotlib python examples/documents/make.py`."""

import logging
import site
from pathlib import Path

from fpdf import FPDF

FOLDER = Path(__file__).parent
FONT = next(Path(site.getsitepackages()[0]).glob("koreanize_matplotlib/fonts/NanumGothic.ttf"))
ENGLISH = (
    (
        "Orchard Lane Library: a handbook for visitors",
        "Opening hours. The library opens at eight in the morning on weekdays and at ten on Saturdays. It is closed "
        "on Sundays and on public holidays.",
        "Borrowing. Every member may borrow twelve books at a time. A loan lasts three weeks and can be extended "
        "twice, unless another member waits for the book.",
        "Late returns. A book that comes back late costs twenty cents a day, and never more than five dollars.",
    ),
    (
        "Rooms and machines",
        "Study rooms. There are six study rooms on the second floor. A room is booked at the front desk for two hours "
        "at most.",
        "Printing. A printed page costs ten cents in black and white and forty cents in colour. The printers stand "
        "beside the lift.",
        "Lost property. What was found is kept at the front desk for thirty days and is then given to charity.",
    ),
)
KOREAN = (
    (
        "한빛 연구소 직원 안내서",
        "근무 시간. 사무실은 월요일부터 금요일까지 오전 아홉 시에 문을 열고 오후 여섯 시에 닫습니다. "
        "점심시간은 열두 시부터 한 시간입니다.",
        "휴가. 모든 직원은 해마다 유급 휴가 이십오 일을 받습니다. 휴가는 적어도 사흘 전에 팀장에게 신청합니다.",
        "재택근무. 직원은 일주일에 이틀까지 집에서 일할 수 있습니다. 재택근무 날은 팀 달력에 적습니다.",
    ),
    (
        "시설과 안전",
        "주차. 지하 주차장은 직원에게 무료이고, 방문객은 한 시간에 천 원을 냅니다.",
        "구내식당. 식당은 칠 층에 있으며 점심 식사는 육천 원입니다. 채식 메뉴는 수요일마다 나옵니다.",
        "화재 대피. 화재 경보가 울리면 승강기를 타지 말고 동쪽 계단으로 내려가 정문 앞 광장에 모입니다.",
    ),
)


def main() -> None:
    logging.disable()
    write("library-handbook.en.pdf", ENGLISH)
    write("office-handbook.ko.pdf", KOREAN)


def write(name: str, pages: tuple[tuple[str, ...], ...]) -> None:
    """One PDF with a heading and paragraphs on each page."""
    pdf = FPDF()
    pdf.add_font("nanum", "", str(FONT))
    for title, *paragraphs in pages:
        pdf.add_page()
        pdf.set_font("nanum", size=16)
        pdf.multi_cell(0, 12, title, align="L", new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("nanum", size=11)
        for paragraph in paragraphs:
            pdf.multi_cell(0, 7, paragraph, align="L", new_x="LMARGIN", new_y="NEXT")
            pdf.ln(4)
    pdf.output(str(FOLDER / name))


if __name__ == "__main__":
    main()
