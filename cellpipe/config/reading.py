"""YAML as a person has written it: read, or refused with the line and what to type there."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import Any

import yaml

from cellpipe.errors import BadConfig


def read_yaml(path: str | Path, what: str = "config") -> dict[str, Any]:
    """Read a config. `what` names it in messages.

    Raises BadConfig for a file that is not there, is no text in UTF-8, is no YAML, has no options,
    or has one of them twice.
    """
    text = _text(Path(path), what)
    try:
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as fault:
        raise _of_line(fault, text, path) from None
    except yaml.YAMLError as fault:
        raise BadConfig(
            seen=f"{path}: {fault}", wanted="text in UTF-8", do="save it again as UTF-8"
        ) from None
    if not isinstance(content, dict):
        raise _no_options(content, path, what)
    refuse_doubles(path)
    return content


def refuse_doubles(path: str | Path) -> None:
    """Raise BadConfig for a key that occurs twice in one section: YAML would use only the last.

    A file that is not YAML is left to its reader.
    """
    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return
    waiting = [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                name, line = str(key.value), key.start_mark.line + 1
                if name in lines and name != "<<":
                    raise BadConfig(
                        seen=f"the option '{name}' twice in {path}, in lines {lines[name]} and "
                        f"{line}",
                        wanted="each option once in its section; of two, only the last would count",
                        do="join them, or remove one",
                    )
                lines[name] = line
                waiting.append(value)
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _text(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as fault:
        line = path.read_bytes()[: fault.start].count(b"\n") + 1
        raise BadConfig(
            seen=f"{path}, line {line}: a character that is not UTF-8",
            wanted="text in UTF-8",
            do="save the file again with the encoding UTF-8",
        ) from None
    except IsADirectoryError:
        raise BadConfig(
            seen=f"{path}, a folder", wanted=f"a {what} (YAML)", do="name the file in it"
        ) from None
    except FileNotFoundError:
        others = [str(p) for p in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        near = difflib.get_close_matches(str(path), others, n=1, cutoff=0.5)
        raise BadConfig(
            seen=f"no file {path} (in {Path.cwd()})",
            wanted=f"a {what} (YAML)",
            do=f"did you mean {near[0]}?" if near else _where_to_name(what),
        ) from None
    except OSError as fault:
        raise BadConfig(
            seen=f"{path}: {fault.strerror}",
            wanted="a file that can be read",
            do="correct the path, or its permissions",
        ) from None


def _where_to_name(what: str) -> str:
    if what == "config":
        return "name yours: snakemake --configfile path/to/my-config.yaml"
    return "correct the path, or write the file"


def _of_line(fault: yaml.MarkedYAMLError, text: str, path: str | Path) -> BadConfig:
    """What is wrong in the line at which YAML gives up, or in the one before."""
    lines = text.splitlines()
    tabs = [i for i, line in enumerate(lines) if re.match(r" *\t", line)]
    mark = fault.problem_mark or fault.context_mark
    at = tabs[0] if tabs else min(mark.line if mark else 0, max(len(lines) - 1, 0))
    line = lines[at] if lines else ""
    seen = f"{path}, line {at + 1}: {line.strip() or '(empty)'}"
    if tabs:
        return BadConfig(
            seen=f"{path}, line {at + 1}: a tab before '{line.strip()}'",
            wanted="spaces before options: YAML takes no tabs",
            do="replace each tab by two spaces",
        )
    strange = re.search(r"cannot start any token|unknown escape", fault.problem or "")
    if strange is None and fault.context_mark and re.search(r"flow|quot", fault.context or ""):
        opened = fault.context_mark.line
        return BadConfig(
            seen=f"{path}, line {opened + 1}: {lines[opened].strip()}",
            wanted="a closing bracket or quote for each one that opens",
            do=f"close it in line {opened + 1}, and separate entries by commas",
        )
    if "mapping values are not allowed" in (fault.problem or ""):
        if line.count(": ") > 1:
            return BadConfig(
                seen=seen,
                wanted="one option in a line",
                do="write the value in quotes if it holds ': ', or begin a new line",
            )
        return _indented(seen, at)
    if "could not find expected ':'" in (fault.problem or ""):
        colon = next((i for i in (at, at - 1) if i >= 0 and re.match(r"\s*\w+:\S", lines[i])), None)
        if colon is not None:
            name, value = lines[colon].strip().split(":", 1)
            return BadConfig(
                seen=f"{path}, line {colon + 1}: {lines[colon].strip()}",
                wanted="a blank after the colon",
                do=f"write '{name}: {value.strip()}'",
            )
    if strange:
        return BadConfig(
            seen=seen,
            wanted="text that begins with such a character (@ ` %), or has a \\, in single quotes",
            do="write the value in single quotes: 'like this'",
        )
    return _indented(seen, at)


def _indented(seen: str, at: int) -> BadConfig:
    return BadConfig(
        seen=seen,
        wanted="options of one section indented alike, by spaces, two more than its name",
        do=f"correct the indentation of line {at + 1}, or of the line before",
    )


def _no_options(content: Any, path: str | Path, what: str) -> BadConfig:
    if content is None:
        return BadConfig(
            seen=f"no option in {path}",
            wanted=f"a {what} (YAML)",
            do="write 'name: value' lines; docs/options.md lists the options",
        )
    word = str(content[0] if isinstance(content, list) and content else content).split("\n")[0]
    found = re.match(r"(\w+)\s*[:=]\s*(\S.*)", word)
    return BadConfig(
        seen=f"'{word[:60]}' in {path}",
        wanted="options at the top level: 'name: value' lines",
        do=f"write '{found[1]}: {found[2]}', with a blank after the colon"
        if found
        else "write each option as 'name: value'; docs/options.md lists them",
    )
