"""`simsearch review`: from the studies that a review included to those it does not know yet."""

from __future__ import annotations

from simsearch.cli.command import add_command, new_group
from simsearch.cli.review_decisions import drop, import_, keep, later, new
from simsearch.cli.review_outputs import export, news, next_, report, status

app = new_group("Review updates: screen what is like the studies that a review includes.")
add_command(
    app,
    new,
    examples="""
simsearch review new anemia/ --included included.txt
simsearch review new anemia/ --included NCT00001626 --excluded excluded.csv
""",
)
add_command(
    app,
    next_,
    "next",
    examples="""
simsearch review next anemia/
simsearch review next anemia/ -k 100 -o next.ris
simsearch review next anemia/ --explore 0.1
""",
)
add_command(app, keep, examples="\nsimsearch review keep anemia/ NCT00001626 NCT00004143\n")
add_command(app, drop, examples="\nsimsearch review drop anemia/ NCT00001626 dropped.txt\n")
add_command(app, later, examples="\nsimsearch review later anemia/ NCT00001626\n")
add_command(
    app,
    import_,
    "import",
    examples="""
simsearch review import anemia/ asreview_dataset.csv
simsearch review import anemia/ rayyan.ris --by "Ann and Bob"
simsearch review import anemia/ covidence_excluded.csv --as exclude
""",
)
add_command(
    app,
    export,
    examples="""
simsearch review export anemia/ -o anemia.ris
simsearch review export anemia/ -f asreview > anemia-asreview.csv
""",
)
add_command(
    app,
    status,
    examples="""
simsearch review status anemia/
simsearch review status anemia/ -f json | jq .rules
""",
)
add_command(app, report, examples="\nsimsearch review report anemia/ -o report.md\n")
add_command(
    app,
    news,
    examples="""
simsearch update --quiet && simsearch review news anemia/ --quiet
simsearch review news anemia/ -o anemia.atom
""",
)
