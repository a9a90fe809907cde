"""Which jobs the command line forces; jobs on a cluster's nodes learn it from their environment."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FORCED = "GETAM_FORCED"


def is_forced(workflow: Any, rule: str, outputs: Iterable[str]) -> bool:
    """Whether `-F`, `-R RULE`, `-R FILE` or `-f FILE` names a job, by its rule or an output.

    Snakemake plans a job again where it runs, but without these options.

    Parameters
    ----------
    workflow : snakemake.workflow.Workflow
        That of the command itself, or of a job that it has started.
    """
    asked = workflow.dag_settings  # None while nothing is planned, as by the linter
    if asked is None:
        return False
    if workflow.is_main_process:
        targets = asked.targets if asked.forcetargets else ()
        named = [str(Path(name)) for name in {*asked.forcerun, *targets}]
        os.environ[FORCED] = json.dumps({"all": asked.forceall, "named": named})
    forced = json.loads(os.environ.get(FORCED, '{"all": false, "named": []}'))
    return forced["all"] or not {rule, *outputs}.isdisjoint(forced["named"])
