"""A picture of who pays how much and costs how much: two bars a client, as PNG for the operator's page.

Not here: the charts of clients' reports (`report_charts.py`).
"""

import io
from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

_PAID, _COST, _LOSS = "#0f766e", "#94a3b8", "#b91c1c"
_INCHES_A_CLIENT = 0.34


def margin_chart(clients: Sequence[tuple[str, int, int]]) -> bytes:
    """Name, paid cents and cost cents of each client, drawn from top to bottom as given; under 40 kB for 20 of them.

    A cost above what was paid is red. The same clients give the same bytes.
    """
    figure = Figure(figsize=(6.0, 1.2 + _INCHES_A_CLIENT * len(clients)), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    rows = range(len(clients))
    paid, cost = [one[1] / 100 for one in clients], [one[2] / 100 for one in clients]
    colours = [_LOSS if spent > income else _COST for income, spent in zip(paid, cost, strict=True)]
    axes.barh([row - 0.2 for row in rows], paid, height=0.38, color=_PAID)
    axes.barh([row + 0.2 for row in rows], cost, height=0.38, color=colours)
    axes.set_yticks(list(rows), [one[0] for one in clients])
    axes.invert_yaxis()
    axes.set_xlabel("rand of the week")
    axes.spines[["top", "right"]].set_visible(False)
    kinds = [Patch(color=_PAID), Patch(color=_COST), Patch(color=_LOSS)]
    figure.legend(
        kinds, ["paid", "cost", "cost above what was paid"], loc="outside upper center", ncols=3, frameon=False
    )
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()
