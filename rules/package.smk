"""Rules and package are of one version: the only place that sets a path of imports, and why.

as found                          what an installed package does not serve
installed with pip, editable too  nothing is set
a checkout that is not installed  Python would not find the package
another version is installed      its code would run under rules that are not its own
environments of conda             they do not hold the package, and do not see an outer PYTHONPATH
"""

import json
import os
import shlex
import sys
from importlib import metadata
from pathlib import Path

SOURCE = Path(str(workflow.current_basedir.get_path_or_uri(secret_free=True))).parent


def runs_by_itself(folder):
    """Whether every Python that this one starts imports the package of a folder, if there is one."""
    if not (folder / "cellpipe" / "__init__.py").is_file():
        return True  # of a wheel: the rules lie within the package
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
    shell.prefix(f"export PYTHONPATH={shlex.quote(str(SOURCE))}; ")
