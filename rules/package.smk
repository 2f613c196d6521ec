"""The package beside these rules is the one that runs.

Where it is installed from here (`make demo` does so), nothing is done. A checkout that is not
installed, or beside which another version is, runs its own code all the same.
"""

import json
import os
import shlex
import sys
from importlib import metadata
from pathlib import Path

SOURCE = Path(str(workflow.current_basedir.get_path_or_uri(secret_free=True))).parent


def runs_by_itself(folder):
    """Whether every Python that this one starts imports the package that lies in a folder."""
    if str(folder) in os.environ.get("PYTHONPATH", "").split(os.pathsep):
        return True
    try:
        written = metadata.distribution("cellpipe").read_text("direct_url.json") or "{}"
    except metadata.PackageNotFoundError:
        return False
    installed = json.loads(written)  # see PEP 610
    editable = installed.get("dir_info", {}).get("editable", False)
    return editable and installed["url"] == folder.as_uri()


if not runs_by_itself(SOURCE):
    sys.path.insert(0, str(SOURCE))
    paths = [str(SOURCE), os.environ.get("PYTHONPATH", "")]
    os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, paths)))
if workflow.deployment_settings.deployment_method:
    # environments of conda do not hold the package, and do not see PYTHONPATH from outside
    shell.prefix(f"export PYTHONPATH={shlex.quote(str(SOURCE))}; ")
