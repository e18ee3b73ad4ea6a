"""How a console draws a series, once more and on purpose naively.

Reads one JSON object a line (rows in storage order, rules, window) and writes one a line with
what is drawn. It follows the description of the console, not the Rust code: nothing is carried
from slice to slice; for each slice everything is looked up again in the rows. Floats are written
as text in Python's exact notation, because not every JSON reader reads numbers exactly.
"""

import json
import math
import sys
from bisect import bisect_left, bisect_right


def text(number):
    return None if number is None else repr(float(number))


def slice_length(rule, window):
    if "seconds" in rule:
        return float(rule["seconds"])
    parts = rule["parts"]
    return (window["end"] - window["start"]) / parts["parts"] + parts["plus_s"]


def edges(window, length):
    found = []
    at = float(window["start"])
    while at < window["end"]:
        found.append((at, at + length))
        at += length
    return found


class Numbers:
    def __init__(self, rows, rules, window):
        self.rows = sorted(rows, key=lambda row: row[0])
        self.times = [row[0] for row in self.rows]
        self.rules = rules
        self.window = window
        self.ground = rules["ground"]
        self.skipped = bisect_left(self.times, window["start"])
        self.past = bisect_right(self.times, window["end"])
        self.slices = edges(window, slice_length(rules["slice"], window))

    def inside(self, begin, end):
        """The places of the rows drawn in [begin, end)."""
        first = max(bisect_left(self.times, begin), self.skipped)
        return range(first, min(bisect_left(self.times, end), self.past))

    def before(self, at):
        """The row that stands when a slice begins at `at`, or None."""
        place = bisect_left(self.times, at) - 1
        if place < 0:
            return None
        if place < self.skipped:
            # Carried into the window: of several rows at that time, the first.
            place = bisect_left(self.times, self.times[place])
        return self.rows[place]

    def silent(self, at):
        """Whether the series was silent for too long when a slice begins at `at`."""
        if self.rules["gap_s"] is None:
            return False
        row = self.before(at)
        heard = self.window["start"] if row is None else row[0]
        return at - heard > self.rules["gap_s"]

    def stands(self, at):
        """What is drawn at the begin of a slice: (known, value)."""
        row = self.before(at)
        if row is None:
            return True, self.ground
        if self.silent(at) or row[1] is None:
            return False, None
        return True, row[1]

    def start_is_drawn(self, number):
        begin, end = self.slices[number]
        if self.silent(begin) or not self.inside(begin, end):
            return True
        return number == 0 and self.rules["start_point_in_first_slice"]

    def shown_before(self, place):
        """The last known value drawn in the window before the row at `place`."""
        for earlier in range(place - 1, self.skipped - 1, -1):
            if self.rows[earlier][1] is not None:
                return self.rows[earlier][1]
        if self.slices and self.start_is_drawn(0):
            known, value = self.stands(self.slices[0][0])
            if known:
                return value
        return self.ground

    def points(self, number):
        """All points of a slice: (time, known, value)."""
        begin, end = self.slices[number]
        places = self.inside(begin, end)
        drawn = []
        if self.start_is_drawn(number):
            known, value = self.stands(begin)
            if not known:
                value = self.shown_before(max(bisect_left(self.times, begin), self.skipped))
            drawn.append((begin, known, value))
        for place in places:
            at, value = self.rows[place]
            known = value is not None
            drawn.append((float(at), known, value if known else self.shown_before(place)))
        return drawn

    def draw(self):
        slices, marks = [], []
        for number in range(len(self.slices)):
            points = self.points(number)
            marks += [(at, known) for at, known, _ in points]
            values = [value for _, _, value in points if value is not None]
            count = len(values)
            mean = math.fsum(value / count for value in values) if values else None
            slices.append({
                "min": text(min(values, default=None)),
                "mean": text(mean),
                "max": text(max(values, default=None)),
                "unknown": not all(known for _, known, _ in points),
                "carried": not self.inside(*self.slices[number]),
            })
        spans = []
        for place, (at, known) in enumerate(marks):
            if not known and (place == 0 or marks[place - 1][1]):
                back = [time for time, fine in marks[place:] if fine]
                end = back[0] if back else self.window["end"]
                spans.append([text(at), text(end)])
        return slices, spans


def states(rows, window, ahead):
    rows = sorted(rows, key=lambda row: row[0])
    start, end = window["start"], window["end"]
    earlier = [at for at, _ in rows if at <= start]
    drawn = []
    if earlier:
        drawn.append([start, next(value for at, value in rows if at == max(earlier))])
    drawn += [[at, value] for at, value in rows if start < at < end]
    later = [[at, value] for at, value in rows if end <= at <= end + ahead]
    if later:
        drawn.append(later[0])
    elif drawn:
        drawn.append([end, drawn[-1][1]])
    return [[at, text(value)] for at, value in drawn]


def counts(rows, rule, window):
    length = slice_length(rule, window)
    groups = {}
    for at, _ in rows:
        if window["start"] < at < window["end"]:
            groups.setdefault(math.floor(at / length + 0.5), []).append(at)
    return sorted([min(times), len(times)] for times in groups.values())


def main():
    for line in sys.stdin:
        case = json.loads(line)
        rows, rules, window = case["rows"], case["rules"], case["window"]
        slices, spans = Numbers(rows, rules, window).draw()
        print(json.dumps({
            "slices": slices,
            "unknown": spans,
            "states": states(rows, window, case["ahead"]),
            "counts": counts(rows, rules["slice"], window),
        }))


main()
