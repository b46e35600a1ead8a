"""Prints the project's style figures, of the working tree or of a revision: `style_figures.py [--rev ce2547e]`.

Clippy and rustdoc hold a rule where one exists; no tool counts how docs open, how long names and commit subjects are,
or which files of a crate import each other. Plain regexes on the git-tracked sources, formatted by rustfmt and freed
of comments and strings, do: figures to compare over time, not a Rust parser.
"""

import argparse
import io
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).resolve().parents[2]
TESTS = re.compile(r"(^|/)tests(/|\.rs$)")
LITERAL = re.compile(r"""//[^\n]*|/\*.*?\*/|\bb?r(#*)".*?"\1|"(?:\\.|[^"\\])*"|'(?:\\[^\n']+'?|[^\\'\n])'""", re.S)
TEST_MODULE = re.compile(r"^#\[cfg\(test\)\]\n(?:#\[[^\n]*\n)*mod \w+ \{\n.*?^\}$", re.M | re.S)
FUNCTION = re.compile(
    r"^( *)(?:[\w():]+ )*fn \w(?:[^\n]*\}|[^\n]*(?<![;}])\n(?:(?!\1\)[^\n]*;\n)[^\n]*\n)*?\1\})[ ]*$", re.M
)
TEST = re.compile(r"#\[(?:tokio::)?test\b[^\n]*\n(?:\s*#\[[^\n]*\n)*\s*(?:async )?fn (\w+)")
DOC = re.compile(r"^[ \t]*//([/!])(?!/)[ \t]*([^\n]*(?:\n[ \t]*//\1(?!/)[^\n]*)*)", re.M)
PUBLIC = re.compile(
    r"^([ \t]*///[^\n]*\n)?(?:[ \t]*#\[(?:[^\[\]]|\[[^\[\]]*\])*\]\s*?\n)*"
    r"[ \t]*pub (?:(?:async|const|unsafe) )*(?:fn|struct|enum|trait|type|const|static) \w",
    re.M,
)
STRING_ERROR = re.compile(r"\bResult<(?:[^<>;{}]|<(?:[^<>]|<[^<>]*>)*>)*,\s*String>")


def git(*args: str) -> bytes:
    return subprocess.run(["git", *args], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def sources(rev: str | None) -> dict[str, str]:
    """Returns the text of each git-tracked file by its path."""
    if rev is None:
        paths = [path for path in git("ls-files", "-z").decode().split("\0") if (ROOT / path).is_file()]
        return {path: (ROOT / path).read_text(errors="replace") for path in paths}
    with tarfile.open(fileobj=io.BytesIO(git("archive", rev))) as tar:
        return {one.name: file.read().decode(errors="replace") for one in tar if (file := tar.extractfile(one))}


def blank(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def imports(module: str, code: str, modules: Iterable[str]) -> Iterator[str]:
    """Yields the modules that `crate::` and `super::` paths lead to; `{...}` groups are written out first."""
    while group := re.search(r"([\w:]+)::\{([^{}]*)\}", code):
        parts = ", ".join(f"{group[1]}::{part.strip()}" for part in group[2].split(","))
        code = code[: group.start()] + parts + code[group.end() :]
    here = module.split("::") if module else []
    for base, rest in re.findall(r"\b(crate|(?:super::)*super)::([\w:]+)", code):
        parents = [] if base == "crate" else here[: max(len(here) - base.count("super"), 0)]
        path = parents + rest.split("::")
        yield next((name for end in range(len(path), -1, -1) if (name := "::".join(path[:end])) in modules), module)


def cycles(code: dict[str, str]) -> Iterator[str]:
    """Yields the files of a crate that import each other: strongly connected components of its modules."""
    for root in {path.partition("src/")[0] + "src/" for path in code if "src/" in path}:
        paths = [path for path in code if path.startswith(root) and not path.startswith(root + "bin/")]
        files = {re.sub(r"/?\b(lib|mod)$", "", path[len(root) : -3]).replace("/", "::"): path for path in paths}
        reach = {name: set(imports(name, code[path], files)) - {name} for name, path in files.items()}
        for middle in reach:
            for name in reach:
                reach[name] |= reach[middle] if middle in reach[name] else set()
        groups = {frozenset(other for other in reach[name] if name in reach[other]) for name in reach}
        yield from (" ".join(sorted(files[name] for name in group)) for group in groups if len(group) > 1)


def spread(values: Iterable[int]) -> str:
    numbers = sorted(values)
    return f"{median(numbers):.0f} / {quantiles(numbers, n=10)[-1]:.0f} / {numbers[-1]}"


def share(values: Iterable[bool]) -> str:
    found = list(values)
    return f"{100 * sum(found) / len(found):.0f} % of {len(found)}"


def figures(rev: str | None) -> Iterator[tuple[str, str]]:
    files = sources(rev)
    lines = {path: text.count("\n") for path, text in files.items()}
    rust = {path: text for path, text in files.items() if path.endswith(".rs")}
    python = [lines[path] for path in files if path.endswith(".py")]
    everything = {path: blank(LITERAL, text) for path, text in rust.items()}
    code = {path: blank(TEST_MODULE, text) for path, text in everything.items() if not TESTS.search(path)}
    docs = [re.sub(r"\n[ \t]*//[/!]", "\n", found[2]) for text in rust.values() for found in DOC.finditer(text)]
    opening = [re.sub(r"\W.*", "", doc, flags=re.S) for doc in docs]
    tests = [len(name) for text in rust.values() for name in TEST.findall(text)]
    panics = sum(len(re.findall(r"\.(?:unwrap|expect)\(", text)) for text in code.values())
    mutual = sorted(cycles(code))
    yield "Rust files, lines", f"{len(rust)}, {sum(lines[path] for path in rust)}"
    yield "file lines: median / p90 / max", spread(lines[path] for path in rust)
    bodies = (found[0].count("\n") + 1 for text in code.values() for found in FUNCTION.finditer(text))
    yield "function lines outside tests: median / p90 / max", spread(bodies)
    yield "unwrap + expect per 1,000 lines outside tests", f"{1000 * panics / sum(lines[path] for path in code):.1f}"
    yield "public items with docs", share(bool(found[1]) for path in code for found in PUBLIC.finditer(rust[path]))
    questions = ("What", "Whether", "Who", "How")
    yield "docs that open with What/Whether/Who/How", share(word in questions for word in opening)
    yield "docs of three words or fewer", share(len(doc.split()) <= 3 for doc in docs)
    yield "docs that open with Returns / Answers", f"{opening.count('Returns')} / {opening.count('Answers')}"
    words = (sum(bool(re.search(rf"\b{word}\b", doc, re.I)) for doc in docs) for word in ("returns", "answers"))
    yield "docs that contain returns / answers", " / ".join(map(str, words))
    yield "test name characters: median / p90 / max", spread(tests)
    yield "test names over 60 / over 70 characters", f"{sum(n > 60 for n in tests)} / {sum(n > 70 for n in tests)}"
    subjects = git("log", "-100", "--format=%s", rev or "HEAD").decode().splitlines()
    yield "commit subject characters: median / p90 / max", spread(map(len, subjects))
    yield "Python files, lines", f"{len(python)}, {sum(python)}"
    yield "ARCHITECTURE.md / README.md lines", f"{lines.get('ARCHITECTURE.md', 0)} / {lines.get('README.md', 0)}"
    yield "Result<_, String>", str(sum(len(STRING_ERROR.findall(text)) for text in everything.values()))
    yield "import cycles between files of a crate", "\n    ".join([str(len(mutual)), *mutual])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Prints the project's style figures.")
    parser.add_argument("--rev", help="git revision to measure instead of the working tree")
    for label, value in figures(parser.parse_args().rev):
        print(f"{label:<50} {value}")
