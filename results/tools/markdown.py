"""Tables in Markdown."""


def markdown_table(rows):
    """Write a table, leaving out columns in which every cell is empty.

    Parameters
    ----------
    rows : list of dict of str to str
        Cells by column; the columns stand in the order in which rows first name them.

    Returns
    -------
    str

    Examples
    --------
    >>> print(markdown_table([{"mixer": "none", "WER": "3.1", "CER": ""}]))
    | mixer | WER |
    |---|---|
    | none | 3.1 |
    """
    columns = dict.fromkeys(key for row in rows for key in row)
    kept = [key for key in columns if any(row.get(key) for row in rows)]
    lines = [kept, *([row.get(key, "") for key in kept] for row in rows)]
    head, *body = ["| " + " | ".join(cells) + " |" for cells in lines]
    return "\n".join([head, "|" + "---|" * len(kept), *body])
