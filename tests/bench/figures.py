"""Medians, quantiles and the tables of a benchmark."""

import statistics


def quantile(values, part):
    """The smallest value that at least `part` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-part * len(ordered) // 1) - 1)]


def median(values):
    return statistics.median(values)


def spread(values, text="{:.2f}"):
    """Median, and the tenth and ninetieth percentile."""
    return text.format(median(values)), " – ".join(text.format(quantile(values, part)) for part in (0.1, 0.9))


def table(headings, rows):
    """A Markdown table; the first column is text, the others are numbers."""
    cells = [[str(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    lines = ["| " + " | ".join(cell.rjust(width) if i else cell.ljust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))) + " |" for row in cells]
    rule = "|" + "|".join("-" * (width + 1) + (":" if i else "-") for i, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
