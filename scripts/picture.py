#!/usr/bin/env python3
"""Makes docs/up.svg from what a terminal showed (text with colors, on standard input).

    tmux capture-pane -e -p | scripts/picture.py > docs/up.svg
"""
import html
import re
import sys

COLORS = {"31": "#f7768e", "32": "#9ece6a", "33": "#e0af68", "36": "#7dcfff"}
WIDTH, LINE, LEFT, TOP = 8.4, 19, 18, 44


def spans(line):
    """Pieces of a line with the style that the escapes before them set."""
    style = {}
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        if piece.startswith("\x1b["):
            for code in piece[2:-1].split(";"):
                if code in ("", "0", "39"):
                    style = {}
                elif code in COLORS:
                    style["fill"] = COLORS[code]
                elif code == "1":
                    style["font-weight"] = "bold"
                elif code == "2":
                    style["fill"] = "#565f89"
        elif piece:
            yield piece, dict(style)


def main():
    lines = [line.rstrip("\n") for line in sys.stdin]
    while lines and not lines[-1].strip():
        lines.pop()
    longest = max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines)
    width, height = int(longest * WIDTH + 2 * LEFT), TOP + LINE * len(lines) + 12
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f'<rect width="{width}" height="{height}" rx="9" fill="#1a1b26"/>',
    ]
    for at, color in enumerate(("#f7768e", "#e0af68", "#9ece6a")):
        out.append(f'<circle cx="{LEFT + 6 + at * 20}" cy="18" r="6" fill="{color}"/>')
    out.append('<g font-family="ui-monospace,Menlo,DejaVu Sans Mono,monospace" font-size="14" fill="#c0caf5" xml:space="preserve">')
    for row, line in enumerate(lines):
        y, column = TOP + LINE * (row + 0.6), 0
        for text, style in spans(line):
            attributes = "".join(f' {key}="{value}"' for key, value in style.items())
            x = LEFT + column * WIDTH
            length = f' textLength="{len(text) * WIDTH:.1f}"'
            out.append(f'<text x="{x:.1f}" y="{y:.1f}"{length}{attributes}>{html.escape(text)}</text>')
            column += len(text)
    out.append("</g></svg>")
    print("\n".join(out))


main()
