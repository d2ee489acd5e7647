"""What the page tells, in its order: which sections' tables and charts belong to which chapter."""

from typing import NamedTuple


class Chapter(NamedTuple):
    """A chapter: its heading, what it says of itself, and its (experiment, stem) in order; `*` is any
    experiment."""

    heading: str
    words: str
    shown: tuple[tuple[str, str], ...]


CHAPTERS = (
    Chapter(
        "Recommendation",
        "What to run on this machine, from the search of experiment=advise.",
        (("advise", "recommendation"), ("advise", "candidates")),
    ),
    Chapter(
        "What was measured, and on which machine",
        "The environment as the study lists it, and what the rows warn of.",
        (("*", "environment"), ("*", "warnings")),
    ),
    Chapter(
        "Strong scaling",
        "The same work on more workers. Speedup S(P) = T(1) / T(P), efficiency S(P) / P; the ceiling is the "
        "rate of P busy copies of the program, which no strategy can beat. Dashed: the study's.",
        tuple(
            ("strong_scaling", stem)
            for stem in ("speedup", "images_per_s", "efficiency", "ceiling_share", "table", "time", "laws")
        ),
    ),
    Chapter(
        "Weak scaling",
        "Pixels in proportion to workers. The study's efficiency T(1) / T(P) compares a small image at one "
        "worker with a large one at many: a task costs something beside its pixels, so small images are "
        "slow per pixel, and this efficiency may exceed 100 %. The work-normalised efficiency, sequential "
        "time at the same size / (P T(P)), does not.",
        tuple(
            ("weak_scaling", stem)
            for stem in (
                "efficiency",
                "normalised_efficiency",
                "table",
                "images_per_s",
                "time",
                "ceiling_share",
                "laws",
            )
        ),
    ),
    Chapter(
        "Where the time goes",
        "All P x T worker-seconds, split without remainder. It ranks suspects; a policy that removes a "
        "cause in the same rounds proves it.",
        tuple(("diagnosis", stem) for stem in ("breakdown", "verdicts", "pop")),
    ),
    Chapter(
        "CPU or memory",
        "How much longer a task takes beside neighbours that compute, copy memory, touch fresh pages or "
        "write files.",
        tuple(
            (name, stem)
            for name in ("diagnosis", "interference")
            for stem in ("interference", "table", "transforms")
        ),
    ),
    Chapter(
        "What each policy gives back",
        "One policy changed at a time, in the same rounds as the cell with none changed.",
        tuple(
            (name, stem)
            for name in ("ablation", "diagnosis")
            for stem in ("time_given_back", "table", "ablation")
        ),
    ),
    Chapter("Timeline", "One trial of each strategy as it went.", (("strong_scaling", "timeline"),)),
    Chapter(
        "Validation",
        "Real photos, augmented by every strategy: the outputs have to be equal byte for byte.",
        (("validation", "contact_sheet"), ("validation", "table")),
    ),
    Chapter(
        "The study's claims, tried here",
        "Each claim of the published study as a test on these results.",
        (("scorecard", "scorecard"), ("scorecard", "slips")),
    ),
)
OTHERS = Chapter("Whatever else was measured", "Tables and charts that belong to no chapter above.", ())
