"""All scenarios by name: a new one is a file of this folder, a line here, and a weight in params.yaml."""

from stages.synthesis.scenarios.base import Scenario
from stages.synthesis.scenarios.dependent import Dependent
from stages.synthesis.scenarios.irrelevant import Irrelevant
from stages.synthesis.scenarios.missing_parameter import MissingParameter
from stages.synthesis.scenarios.multi_turn import MultiTurn
from stages.synthesis.scenarios.multiple import Multiple
from stages.synthesis.scenarios.parallel import Parallel
from stages.synthesis.scenarios.parallel_multiple import ParallelMultiple
from stages.synthesis.scenarios.report import Report
from stages.synthesis.scenarios.single import Single

SCENARIOS: dict[str, Scenario] = {
    "single": Single(),
    "multiple": Multiple(),
    "parallel": Parallel(),
    "parallel_multiple": ParallelMultiple(),
    "multi_turn": MultiTurn(),
    "dependent": Dependent(),
    "missing_parameter": MissingParameter(),
    "irrelevant": Irrelevant(),
    "report": Report(),
}
