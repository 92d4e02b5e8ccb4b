"""The page of a study: a table with intervals and corrected p values, and a plot."""

from results.study.statistics import estimate, holm
from results.study.trials import errors_of
from results.tools.markdown import markdown_table

SIGNIFICANT = 0.05


def compare_systems(rows, baselines, test=None):
    """Estimate each system's word error rate, and its difference to each baseline.

    Parameters
    ----------
    rows : list of dict
        From :func:`results.study.trials.read_rows`.
    baselines : sequence of str
        Names of systems.
    test : str, optional
        See :func:`results.study.trials.errors_of`.

    Returns
    -------
    rates : dict of str to Estimate
        By system, the lowest first; those of one seed are left out.
    differences : dict of (str, str) to Estimate
        By system and baseline; ``p`` is corrected by Holm's method over all of them.
    """
    errors, words = errors_of(rows, test)
    errors = {name: of_seeds for name, of_seeds in errors.items() if len(of_seeds) > 1}
    rates = {name: estimate(of_seeds, words) for name, of_seeds in errors.items()}
    rates = dict(sorted(rates.items(), key=lambda item: item[1].value))
    found, pairs = {}, set()
    for baseline in (name for name in baselines if name in rates):
        for name in rates:
            # two baselines are one pair, and one test
            if name != baseline and frozenset((name, baseline)) not in pairs:
                pairs.add(frozenset((name, baseline)))
                found[name, baseline] = estimate(errors[name], words, errors[baseline])
    corrected = holm([difference.p for difference in found.values()])
    differences = {}
    for (key, difference), p in zip(found.items(), corrected):
        differences[key] = type(difference)(difference.value, difference.low, difference.high, p)
    return rates, differences


def comparison_table(rows, baselines, test=None, more=None):
    """Write what :func:`compare_systems` finds as a table in Markdown.

    Parameters
    ----------
    rows, baselines, test
        See :func:`compare_systems`.
    more : dict of str to dict, optional
        More cells by system, which stand behind the parameters.

    Returns
    -------
    str
    """
    rates, differences = compare_systems(rows, baselines, test)
    lines = []
    for name, rate in rates.items():
        own = [row for row in rows if row["system"] == name and test in (None, row["test"])]
        line = {
            "system": name,
            "parameters": f"{int(own[0]['parameters']):,}",
            **(more or {}).get(name, {}),
            "seeds": str(len(own)),
            "WER, %": f"{rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}]",
        }
        for baseline in baselines:
            difference = differences.get((name, baseline))
            line[f"less {baseline}"] = _words(difference) if difference else ""
        lines.append(line)
    return markdown_table(lines)


def findings(rows, baselines, test=None):
    """Say in words which differences are significant.

    Returns
    -------
    list of str
        A sentence each; a sentence that there is none.
    """
    _, differences = compare_systems(rows, baselines, test)
    sentences = [
        f"{name} makes {'fewer' if found.value < 0 else 'more'} errors than {baseline}: "
        f"{_words(found)}."
        for (name, baseline), found in differences.items()
        if found.p < SIGNIFICANT
    ]
    return sentences or ["No difference is significant."]


def plot_against_cost(path, rates, costs, label):
    """Plot word error rates with their intervals against milliseconds.

    Parameters
    ----------
    path : Path
        PNG file to write.
    rates : dict of str to Estimate
    costs : dict of str to float
        Milliseconds by system.
    label : str
        Of the axis of costs.
    """
    # who only trains needs no matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=80, layout="constrained")
    axes = figure.subplots()
    for name, rate in rates.items():
        reach = [[rate.value - rate.low], [rate.high - rate.value]]
        axes.errorbar(costs[name], rate.value, yerr=reach, fmt="o", capsize=3)
        axes.annotate(
            name, (costs[name], rate.value), xytext=(4, 4), textcoords="offset points", fontsize=8
        )
    axes.set_xlabel(label)
    axes.set_ylabel("WER, %")
    axes.grid(alpha=0.3)
    figure.savefig(path)


def _words(difference):
    bold = "**" if difference.p < SIGNIFICANT else ""
    p = "< 0.001" if difference.p < 0.001 else f"= {difference.p:.3f}"
    return (
        f"{bold}{difference.value:+.2f}{bold} [{difference.low:+.2f}, {difference.high:+.2f}], "
        f"p {p}"
    )
