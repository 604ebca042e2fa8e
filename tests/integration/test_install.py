"""What `cmake --install` leaves is enough for a program of a user: it is found, built, run and upgraded.

The tree is moved after the installation, so nothing in it may know where it was put or where it was built.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import harness

BUILD = harness.BIN_DIR.parent
PROGRAM = harness.ROOT / "tests/tools/hello.c"
PUBLIC = harness.ROOT / "include/rp"
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Werror")
SANITIZERS = os.environ.get("RP_TEST_SANITIZERS", "")
SANITIZE = (f"-fsanitize={SANITIZERS}",) if SANITIZERS else ()
LANGUAGES = {"C": ("gcc", "-std=c11", "-xc"), "CXX": ("g++", "-std=c++17", "-xc++")}
PROJECT = """
cmake_minimum_required(VERSION 3.21)
project(hello LANGUAGES {language})
set(CMAKE_C_STANDARD 11)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_{language}_STANDARD_REQUIRED ON)
set(CMAKE_{language}_EXTENSIONS OFF)
find_package(rp 0.1 REQUIRED)
set_source_files_properties({source} PROPERTIES LANGUAGE {language})
add_executable(hello {source})
target_link_libraries(hello PRIVATE rp::rp)
"""


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise AssertionError(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class InstallTest(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp(prefix="rp-test-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        environment = {k: v for k, v in os.environ.items() if k != "DESTDIR"}
        run("cmake", "--install", BUILD, "--prefix", cls.scratch / "first", env=environment)
        cls.prefix = (cls.scratch / "first").rename(cls.scratch / "second")
        cls.library = next(cls.prefix.rglob("librp.a")).parent

    def setUp(self):
        super().setUp()
        self.box.program = str(self.prefix / "bin/rpctl")
        self.build = self.box.dir / "build"
        self.build.mkdir()
        self.env = {**self.box.env, "PKG_CONFIG_PATH": str(self.library / "pkgconfig")}

    # ---- ways to build ----

    def with_pkg_config(self, compiler, *options, program=PROGRAM):
        flags = run("pkg-config", "--cflags", "--libs", "rp", env=self.env).split()
        binary = self.build / "hello"
        run(compiler, *options, *WARNINGS, *SANITIZE, program, "-xnone", *flags, "-o", binary, env=self.env)
        return binary

    def with_cmake(self, language):
        (self.build / "CMakeLists.txt").write_text(PROJECT.format(language=language, source=PROGRAM))
        flags = " ".join((*WARNINGS, *SANITIZE))
        run("cmake", "-S", self.build, "-B", self.build / "b", f"-DCMAKE_PREFIX_PATH={self.prefix}",
            f"-DCMAKE_{language}_FLAGS={flags}", env=self.box.env)
        run("cmake", "--build", self.build / "b", env=self.box.env)
        return self.build / "b/hello"

    # ---- what it must do then ----

    def ask(self, port, name="w%6frld"):
        answer = harness.get("127.0.0.1", port, f"/hello/{name}")
        self.assertEqual((answer.status, answer.body), (200, b"Hello, WORLD!\n"))

    def serves_and_is_upgraded(self, binary):
        port = self.box.port()
        self.assert_code(self.box.rpctl("start", binary, f"127.0.0.1:{port}"), 0)
        self.ask(port)
        following = shutil.copy(binary, binary.with_name("hello-2"))
        outcome = self.assert_code(self.box.rpctl("upgrade", "--bake", "0", following), 0)
        self.assertIn("drain", outcome.phases())
        self.ask(port)
        self.assert_code(self.box.rpctl("stop"), 0)

    def test_pkg_config_c(self):
        self.serves_and_is_upgraded(self.with_pkg_config(*LANGUAGES["C"]))

    def test_pkg_config_cxx(self):
        self.serves_and_is_upgraded(self.with_pkg_config(*LANGUAGES["CXX"]))

    def test_cmake_c(self):
        self.serves_and_is_upgraded(self.with_cmake("C"))

    def test_cmake_cxx(self):
        self.serves_and_is_upgraded(self.with_cmake("CXX"))

    def test_example_of_the_manual(self):
        page = (harness.ROOT / "deploy/man/librp.3").read_text().partition(".Sh EXAMPLES")[2]
        example = page.partition(".Bd -literal -offset indent\n")[2].partition(".Ed\n")[0].replace("\\en", "\\n")
        port = self.box.port()
        program = self.box.dir / "example.c"
        program.write_text(example.replace("127.0.0.1:8000", f"127.0.0.1:{port}"))
        binary = self.with_pkg_config(*LANGUAGES["C"], program=program)
        self.assert_code(self.box.rpctl("start", binary), 0)
        answer = harness.get("127.0.0.1", port, "/hello/w%6frld")
        self.assertEqual((answer.status, answer.body), (200, b"Hello, world!\n"))
        self.assert_code(self.box.rpctl("stop"), 0)

    # ---- the tree ----

    def test_each_header_stands_alone(self):
        installed = sorted(path.name for path in (self.prefix / "include/rp").iterdir())
        self.assertEqual(installed, sorted(path.name for path in PUBLIC.iterdir()))
        for name in installed:
            for compiler, *options in LANGUAGES.values():
                run(compiler, *options, *WARNINGS, f"-I{self.prefix}/include", "-fsyntax-only", "-",
                    input=f"#include <rp/{name}>\n#include <rp/{name}>\n")

    def test_versions_agree(self):
        version = run("pkg-config", "--modversion", "rp", env=self.env).strip()
        self.assertEqual(run(self.prefix / "bin/rp-server", "--version").split()[-1], version)
        found = next(self.library.rglob("rp-config-version.cmake")).read_text()
        self.assertIn(f'PACKAGE_VERSION "{version}"', found)

    def test_manual_and_completion(self):
        pages = {path.name for path in (self.prefix / "share/man").rglob("*.[1-9]")}
        self.assertEqual(pages, {path.name for path in (harness.ROOT / "deploy/man").iterdir()})
        self.assertTrue((self.prefix / "share/bash-completion/completions/rpctl").is_file())

    def test_no_file_knows_where_it_was_built(self):
        for path in [*self.library.rglob("*.cmake"), *self.library.rglob("*.pc")]:
            for place in (harness.ROOT, BUILD, self.scratch):
                self.assertNotIn(str(place), path.read_text(), path)


if __name__ == "__main__":
    harness.main()
