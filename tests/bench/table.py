"""Results as Markdown."""


def number(value):
    """Three figures, as a person writes them."""
    if value is None:
        return "-"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def cell(row, configuration):
    if configuration in row.skipped or "all" in row.skipped:
        return "skipped"
    value = row.summary(configuration)
    if value is None:
        return "-"
    ratio = row.ratio(configuration)
    text = number(value[1])
    if ratio is not None:
        text += f" x{ratio[1]:.2f} ({ratio[0]:.2f}-{ratio[2]:.2f})"
    return text


def columns_of(group):
    if group.columns:
        return list(group.columns)
    names = []
    for row in group.rows:
        names += [row.reference, *row.values]
    return list(dict.fromkeys(names))


def of_group(group):
    columns = columns_of(group)
    lines = [f"## {group.title}", "", group.text, "",
             "| | unit | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    notes = []
    for row in group.rows:
        name = f"{row.name} / {row.note}" if row.values.get("reference") else row.name
        lines.append(f"| {name} | {row.unit} | " +
                     " | ".join(cell(row, column) for column in columns) + " |")
        notes += [f"* {row.name}: {column}: skipped: {reason}"
                  for column, reason in row.skipped.items()]
        if row.note and "reference" not in columns:
            notes.append(f"* {row.name}: {row.note}")
    return "\n".join([*lines, "", *notes, ""])


def of_machine(machine):
    return "\n".join(["# ftsan's bench", "", "| | |", "|---|---|"] +
                     [f"| {name} | {value} |" for name, value in machine.items()] + [""])
