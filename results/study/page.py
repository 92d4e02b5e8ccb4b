"""The page of a study: a table with intervals and corrected p values, and a plot."""

from dataclasses import dataclass, replace
from string import Template

from results.study.statistics import estimate, holm
from results.study.trials import errors_of
from results.tools.markdown import markdown_table
from summarymixing_sb.files import atomic_open

SIGNIFICANT = 0.05
#: One seed says nothing of how far seeds differ.
LEAST_SEEDS = 2


@dataclass(frozen=True)
class Comparison:
    """What a test says of the systems of a study.

    Attributes
    ----------
    rates : dict of str to Estimate
        Word error rates by system, the lowest first; those of fewer than `LEAST_SEEDS` seeds are
        left out.
    differences : dict of (str, str) to Estimate
        By system and baseline; ``p`` is corrected by Holm's method over all tests of the study.
    """

    rates: dict
    differences: dict


def compare_systems(rows, baselines):
    """Estimate each system's word error rate in each test, and its difference to each baseline.

    Parameters
    ----------
    rows : list of dict
        From :func:`results.study.trials.read_rows`.
    baselines : sequence of str
        Names of systems.

    Returns
    -------
    dict of str to Comparison
        By test.
    """
    found, rates = {}, {}
    for test in dict.fromkeys(row["test"] for row in rows):
        errors, words = errors_of([row for row in rows if row["test"] == test])
        errors = {
            name: of_seeds for name, of_seeds in errors.items() if len(of_seeds) >= LEAST_SEEDS
        }
        of_test = {name: estimate(of_seeds, words) for name, of_seeds in errors.items()}
        rates[test] = dict(sorted(of_test.items(), key=lambda item: item[1].value))
        pairs = set()
        for baseline in (name for name in baselines if name in errors):
            for name in rates[test]:
                # two baselines are one pair, and one test
                if name != baseline and frozenset((name, baseline)) not in pairs:
                    pairs.add(frozenset((name, baseline)))
                    difference = estimate(errors[name], words, errors[baseline])
                    found[test, name, baseline] = difference
    corrected = holm([difference.p for difference in found.values()])
    comparisons = {test: Comparison(of_test, {}) for test, of_test in rates.items()}
    for ((test, *pair), difference), p in zip(found.items(), corrected):
        comparisons[test].differences[tuple(pair)] = replace(difference, p=p)
    return comparisons


def comparison_table(comparison, rows, baselines, more=None):
    """Write a comparison as a table in Markdown.

    Parameters
    ----------
    comparison : Comparison
    rows : list of dict
        Of the test.
    baselines : sequence of str
    more : dict of str to dict, optional
        More cells by system, which stand behind the parameters.

    Returns
    -------
    str
    """
    lines = []
    for name, rate in comparison.rates.items():
        own = [row for row in rows if row["system"] == name]
        line = {
            "system": name,
            "parameters": f"{int(own[0]['parameters']):,}",
            **(more or {}).get(name, {}),
            "seeds": str(len({row["seed"] for row in own})),
            "WER, %": f"{rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}]",
        }
        for baseline in baselines:
            difference = comparison.differences.get((name, baseline))
            line[f"less {baseline}"] = _words(difference) if difference else ""
        lines.append(line)
    return markdown_table(lines)


def findings(comparisons):
    """Say in words which differences are significant.

    Parameters
    ----------
    comparisons : dict of str to Comparison

    Returns
    -------
    str
        A line each; a line that there is none, or that nothing could be compared yet.
    """
    if not any(comparison.differences for comparison in comparisons.values()):
        return f"- Nothing is compared yet: that needs {LEAST_SEEDS} seeds of two systems."
    several = len(comparisons) > 1
    lines = [
        f"- {f'{test}: ' if several else ''}{name} makes {'fewer' if found.value < 0 else 'more'} "
        f"errors than {baseline}: {_words(found)}."
        for test, comparison in comparisons.items()
        for (name, baseline), found in comparison.differences.items()
        if found.p < SIGNIFICANT
    ]
    return "\n".join(lines or ["- No difference is significant."])


def write_study(folder, **values):
    """Fill a study's ``template.md`` in, and write its ``README.md``.

    Parameters
    ----------
    folder : Path
        Of the study.
    **values
        Texts, by their names in the template.
    """
    template = Template((folder / "template.md").read_text(encoding="utf-8"))
    with atomic_open(folder / "README.md") as file:
        file.write(template.substitute(values))
    print(f"wrote {folder / 'README.md'}")


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

    figure = Figure(figsize=(9, 5), dpi=80, layout="constrained")
    axes = figure.subplots()
    for index, (name, rate) in enumerate(rates.items()):
        reach = [[rate.value - rate.low], [rate.high - rate.value]]
        axes.errorbar(
            costs[name], rate.value, yerr=reach, fmt="os"[index // 10], capsize=3, label=name
        )
    figure.legend(fontsize="small", loc="outside right upper")  # the lowest first
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
