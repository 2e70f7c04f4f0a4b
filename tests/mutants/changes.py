# SPDX-License-Identifier: Apache-2.0
"""Small changes of C and C++ that a test ought to notice."""
import re
import subprocess

OPERATORS = [
    (" == ", " != "), (" != ", " == "), (" < ", " <= "), (" <= ", " < "), (" > ", " >= "),
    (" >= ", " > "), (" && ", " || "), (" || ", " && "), (" + ", " - "), (" - ", " + "),
    (" << ", " >> "), (" >> ", " << "), (" ? ", " ? 0 * "), ("!", ""),
]
NUMBERS = re.compile(r"(?<![\w.'])(0x[0-9a-fA-F]+|\d+)(?![\w.'])")


def code_of(line, in_comment):
    """The line without comments, and whether a comment goes on."""
    if in_comment:
        return ("", True) if "*/" not in line else (line.split("*/", 1)[1], False)
    line = re.sub(r"/\*.*?\*/", "", line)
    if "/*" in line:
        return line.split("/*", 1)[0], True
    return re.sub(r"//.*", "", line), False


def operators_changed(code):
    """Forms with one operator exchanged or one negation taken away."""
    for old, new in OPERATORS:
        start = code.find(old)
        while start >= 0:
            if not (old == "!" and code[start:start + 2] == "!="):
                yield code[:start] + new + code[start + len(old):]
            start = code.find(old, start + 1)


def numbers_changed(code):
    for found in NUMBERS.finditer(code):
        # Any number but 0 is true: one that may be a truth value becomes 0.
        other = "0" if found.group() == "1" else f"({found.group()} + 1)"
        yield code[:found.start()] + other + code[found.end():]


def run(command, timeout, cwd=None):
    """The exit status, -1 for a command that did not end in time (seconds)."""
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=timeout, check=False, cwd=cwd).returncode
    except subprocess.TimeoutExpired:
        return -1
