#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Which base tests/bench/gate takes, in histories made here, and what it does when there is none."""
import importlib.machinery
import importlib.util
import pathlib
import subprocess
import tempfile
import unittest

GATE = pathlib.Path(__file__).resolve().with_name("gate")


def loaded():
    loader = importlib.machinery.SourceFileLoader("gate", str(GATE))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("gate", loader))
    loader.exec_module(module)
    return module


class History(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.gate = loaded()
        self.gate.ROOT = self.root

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-c", "user.name=n", "-c", "user.email=n@n.example", "-c", "commit.gpgsign=false",
             *arguments], cwd=self.root, check=True, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL).stdout.strip()

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def commit(self, name: str, text: str) -> str:
        self.write(name, text)
        self.git("add", ".")
        self.git("commit", "-q", "-m", text)
        return self.git("rev-parse", "HEAD")

    def begin(self) -> str:
        self.git("init", "-q", "-b", "main")
        return self.commit("bpf/path.c", "one")

    def base(self) -> str:
        return self.gate.chosen(None)[0]

    def test_what_was_there_before_the_newest_change(self):
        one = self.begin()
        self.commit("bpf/path.c", "two")
        self.commit("README", "three")
        self.assertEqual(self.base(), one)

    def test_head_when_the_change_is_not_committed(self):
        self.begin()
        two = self.commit("bpf/path.c", "two")
        self.write("bpf/path.c", "three")
        self.assertEqual(self.base(), two)

    def test_the_merge_base_on_a_branch(self):
        self.begin()
        two = self.commit("bpf/path.c", "two")
        self.git("checkout", "-q", "-b", "side")
        self.commit("userspace/kernel/table.cpp", "three")
        self.commit("bpf/path.c", "four")
        self.assertEqual(self.base(), two)

    def test_the_newest_tag_before_all(self):
        one = self.begin()
        self.git("tag", "v1")
        self.commit("bpf/path.c", "two")
        self.write("bpf/path.c", "three")
        self.assertEqual(self.base(), one)

    def test_the_tag_before_when_head_is_tagged(self):
        one = self.begin()
        self.git("tag", "v1")
        self.commit("bpf/path.c", "two")
        self.git("tag", "v2")
        self.assertEqual(self.base(), one)

    def test_a_named_one(self):
        one = self.begin()
        self.commit("bpf/path.c", "two")
        self.commit("bpf/path.c", "three")
        self.assertEqual(self.gate.chosen(one[:8])[0], one)
        with self.assertRaises(SystemExit):
            self.gate.chosen("no-such-name")

    def test_none_in_a_shallow_clone(self):
        self.begin()
        self.commit("bpf/path.c", "two")
        shallow = self.root / "shallow"
        self.git("clone", "-q", "--depth", "1", f"file://{self.root}", str(shallow))
        self.gate.ROOT = shallow
        with self.assertRaisesRegex(self.gate.NoBase, "the clone is shallow"):
            self.base()

    def test_none_without_a_history(self):
        with self.assertRaisesRegex(self.gate.NoBase, "no git history"):
            self.base()

    def test_none_when_it_does_not_build(self):
        one = self.begin()
        self.gate.CACHE = self.root / "cache"
        self.gate.CACHE.mkdir()
        self.gate.UNPACKED = ("bpf",)
        for name in self.gate.OVER:
            self.write(name, "")
        tried = []
        self.gate.build = lambda source, log: tried.append(source)
        with self.assertRaisesRegex(self.gate.NoBase, "does not build"):
            self.gate.built(one)
        self.assertEqual(len(tried), 1)     # the base has no recipe of its own


if __name__ == "__main__":
    unittest.main()
