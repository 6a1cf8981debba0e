"""What a Pipefile means: every key, read from a real folder."""

import pytest

from pipefile.base import digest
from pipefile.base.disk import OsDisk
from pipefile.load.loader import load
from pipefile.model.stage import Call, Command, Field, InputGroup, InputItem, Output, Settings


@pytest.fixture
def read(tmp_path):
    """Write a Pipefile and load it."""

    def read(text, environ=None, file="Pipefile.toml"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(text.encode())
        return load(OsDisk(str(tmp_path)), file, environ or {})

    return read


@pytest.fixture
def stage(read):
    """Load one stage, `s`."""
    return lambda keys, before="": read(f"{before}\n[stage.s]\n{keys}\n").stages["s"]


def test_empty_pipefile(read, tmp_path):
    """Nothing declared is a pipeline without stages; the file itself is digested."""
    pipeline = read("")
    assert (pipeline.root, pipeline.file, pipeline.settings) == (str(tmp_path), "Pipefile.toml", Settings())
    assert pipeline.files == {"Pipefile.toml": digest.of_bytes(b"")}
    assert (pipeline.stages, pipeline.aliases, pipeline.globals, pipeline.dotenv) == ({}, {}, {}, {})


def test_every_setting(read, tmp_path):
    """[pipefile], all keys."""
    pipeline = read(
        "[pipefile]\n"
        'default = ["s"]\nstore = "./state/"\nhash = "sha256"\nshell = ["bash", "-ec"]\nenv = ["LANG"]\ndotenv = [".env"]\nstrict_env = true\n'
        'show_env = ["CI"]\noutside = ["/srv/data/", "../beside"]\ndurability = "full"\nkeep_runs = 7\nlog_limit = "1.5 MB"\n'
        '[stage.s]\nrun = "x"\n'
    )
    assert pipeline.settings == Settings(
        default=("s",),
        store="state",
        hash="sha256",
        shell=("bash", "-ec"),
        env=("LANG",),
        dotenv=(".env",),
        strict_env=True,
        show_env=("CI",),
        outside=("/srv/data", str(tmp_path.parent / "beside")),
        durability="full",
        keep_runs=7,
        log_limit=1_500_000,
    )
    assert pipeline.files[".env"] is None
    assert pipeline.files["Pipefile.toml"].startswith("sha256:")
    assert (pipeline.stages["s"].shell, pipeline.stages["s"].log_limit) == (("bash", "-ec"), 1_500_000)


def test_every_stage_key(read):
    """[stage.*], all keys that are not inputs, outputs or action."""
    stage = read(
        '[stage.first]\nrun = "x"\n[stage.s]\nrun = ["x"]\nparams = { n = 1 }\nversion = "2"\nenv = { LANG = "C" }\n'
        'shell = ["fish"]\nafter = "first"\n'
        'always = true\ntimeout = "1.5m"\n'
        'depfile = "build/s.d"\ninfer_inputs = false\n'
        'description = "text"\ntags = ["a", "b"]\nlog_limit = "4kB"\n'
    ).stages["s"]
    assert (stage.params, stage.version, stage.env, stage.shell, stage.after) == ({"n": 1}, "2", {"LANG": "C"}, ("fish",), ("first",))
    assert (stage.always, stage.timeout, stage.depfile, stage.infer_inputs) == (True, 90.0, "build/s.d", False)
    assert (stage.description, stage.tags, stage.log_limit, stage.file, stage.folder) == ("text", ("a", "b"), 4000, "Pipefile.toml", "")


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("1s", 1.0), ("10m", 600.0), ("2h", 7200.0), ("0.5h", 1800.0)])
def test_durations(stage, text, seconds):
    """A number and a unit."""
    assert stage(f'run = "x"\ntimeout = "{text}"').timeout == seconds


@pytest.mark.parametrize(("text", "size"), [("10B", 10), ("64MB", 64_000_000), ("4GB", 4_000_000_000), ("1 TB", 10**12)])
def test_sizes(stage, text, size):
    """Decimal, as disks are sold."""
    assert stage(f'run = "x"\nlog_limit = "{text}"').log_limit == size


def test_inputs(stage):
    """A string, a list, a table of both; optional ones anywhere."""
    assert stage('run = "x"\ninputs = "a.txt"').inputs == (InputGroup(None, (InputItem("a.txt"),)),)
    assert stage('run = "x"\ninputs = []').inputs == ()
    assert stage('run = "x"\ninputs = ["a", { path = "b", optional = true }]').inputs == (
        InputGroup(None, (InputItem("a"), InputItem("b", True)), True),
    )
    assert stage('run = "x"\ninputs = { a = "*.c", b = ["x", "y.outputs"], c = { path = "z", optional = true }, d = { path = "w" } }').inputs == (
        InputGroup("a", (InputItem("*.c"),)),
        InputGroup("b", (InputItem("x"), InputItem("y.outputs")), True),
        InputGroup("c", (InputItem("z", True),)),
        InputGroup("d", (InputItem("w"),)),
    )


def test_outputs(stage):
    """A string, a list, a table of both; a trailing slash makes a directory; paths are normalised."""
    assert stage('call = "m:f"\noutputs = "./a//b.txt"').outputs == (Output(None, "a/b.txt"),)
    assert stage('call = "m:f"\noutputs = ["x/../frames/", "[a]*.txt", ".hidden"]').outputs == (
        Output(None, "frames", True),
        Output(None, "[a]*.txt"),
        Output(None, ".hidden"),
    )
    assert stage('call = "m:f"\noutputs = { a = "x", b = ["y", "z/"] }').outputs == (
        Output("a", "x"),
        Output("b", "y", many=True),
        Output("b", "z", True, many=True),
    )


def test_what_is_kept(stage, read):
    """`cache` of a stage, of an output, and the size of all."""
    assert [stage(f'run = "x"\n{keys}').cache for keys in ("", 'cache = "auto"', "cache = true", "cache = false")] == [None, None, True, False]
    assert stage('run = "x"\noutputs = [{ path = "a", cache = false }, { path = "b/" }, "c"]').outputs == (
        Output(None, "a", in_place=True, cache=False),
        Output(None, "b", True, in_place=True),
        Output(None, "c", in_place=True),
    )
    assert stage('call = "m:f"\noutputs = { a = { path = "x", cache = false }, b = [{ path = "y" }] }').outputs == (
        Output("a", "x", cache=False),
        Output("b", "y", many=True),
    )
    assert [read(f'[pipefile]\ncache_size = "{size}"').settings.cache_size for size in ("0", "5MB")] == [0, 5_000_000]


@pytest.mark.parametrize(
    ("run", "literal"),
    [
        ('"make"', [True, True, True]),
        ('"make {outputs}"', [False, False, False]),
        ('"make {a}"', [False, True, True]),
        ('"make {b}"', [True, False, False]),
        ('"make {b[1]}"', [True, True, False]),
        ('"make {outputs[1]}"', [True, False, True]),
        ('["make", "-o{a}"]', [False, True, True]),
        ('["make", "{outputs}"]', [False, False, False]),
    ],
)
def test_in_place_is_what_no_placeholder_names(stage, run, literal):
    """An output that the command names literally is written where it stands."""
    outputs = stage(f'outputs = {{ a = "x", b = ["y", "z"] }}\nrun = {run}').outputs
    assert [output.in_place for output in outputs] == literal


def test_list_outputs_by_position(stage):
    """`{outputs[0]}` names the first of a list."""
    assert [output.in_place for output in stage('outputs = ["x", "y"]\nrun = "t {outputs[0]} y"').outputs] == [False, True]


def test_call(stage):
    """A module of any depth and a function; its outputs are never in place."""
    made = stage('outputs = ["x"]\ncall = "steps.report:render"')
    assert made.action == Call("steps.report", "render")
    assert not made.outputs[0].in_place


def test_globals_are_filled_in(stage):
    """Placeholders of [global] are values by now: quoted in a shell text, plain in a list, several arguments for a list; the others stay."""
    table = '[global]\nname = "it\'s"\nn = 5\nflag = true\nlist = ["a b", "c"]\n[global.deep]\nrate = 0.5\n'
    assert stage('run = "x {global.name} {global.list} {global.list[1]} {global.flag} {{{global.n}}} >{global.deep.rate}"', table).action == Command(
        "x {global.name} {global.list} {global.list[1]} {global.flag} {{{global.n}}} >{global.deep.rate}",
        ("x 'it'\"'\"'s' 'a b' c c true {5} >0.5",),
    )
    assert stage('run = "echo {global.n}>{store}/log"', table).action.template == ("echo 5''>", Field("store"), "/log")
    assert stage('run = ["x", "{global.list}", "-n{global.n}", "{global.name}"]', table).action == Command(
        argv=(("x",), ("a b",), ("c",), ("-n5",), ("it's",))
    )
    made = stage('inputs = ["in/{global.n}.txt", "{{x}}"]\noutputs = ["out/{global.deep.rate}/"]\ndepfile = "{global.n}.d"\nrun = "x"', table)
    assert made.inputs[0].items == (InputItem("in/5.txt"), InputItem("{x}"))
    assert (made.outputs, made.depfile) == ((Output(None, "out/0.5", True, in_place=True),), "5.d")


def test_params(stage):
    """`global.KEY` is looked up, tables too; what else there is stays as it is."""
    table = '[global]\nn = 5\n[global.model]\nname = "m"\n'
    params = 'params = { a = "global.n", b = "global.model", c = "global.model.name", d = [1, { e = 2.5 }], f = "text" }'
    made = stage(params + '\nrun = "x {params.c}"', table)
    assert made.params == {"a": 5, "b": {"name": "m"}, "c": "m", "d": [1, {"e": 2.5}], "f": "text"}


@pytest.mark.parametrize(
    ("outputs", "metrics", "paths"),
    [
        ('"m.json"', '"m.json"', ("m.json",)),
        ('["a", "build/m.json"]', '["./build/../build/m.json"]', ("build/m.json",)),
        ('{ scores = "m.json", model = "m.bin" }', '["scores"]', ("m.json",)),
        ('{ a = "x.json", b = "a" }', '["a", "b"]', ("a",)),  # a path before a name
        ('{ a = "x.json", "b c" = "y.json" }', '["b c", "x.json", "a"]', ("y.json", "x.json")),
        ('"build/{global.w}.json"', '"build/{global.w}.json"', ("build/7.json",)),
        ('"a"', "[]", ()),
    ],
)
def test_metrics(stage, outputs, metrics, paths):
    """Outputs by path, or by name; each once."""
    assert stage(f"run = 'x {{outputs}}'\noutputs = {outputs}\nmetrics = {metrics}", "[global]\nw = 7").metrics == paths


def test_metrics_of_a_pipefile_in_a_folder(read):
    """Relative to it, as outputs are."""
    pipeline = read('[stage.s]\nrun = "x {outputs}"\noutputs = "m.json"\nmetrics = "m.json"\n', file="sub/Pipefile.toml")
    assert pipeline.stages["s"].metrics == ("sub/m.json",)


def test_env(stage):
    """Names are inherited, a table sets."""
    assert stage('run = "x"\nenv = ["A", "B"]').env == {"A": None, "B": None}
    assert stage('run = "x"\nenv = { A = "1", B = "" }').env == {"A": "1", "B": ""}


def test_aliases_and_default(read):
    """They name stages, aliases, outputs, and what lies in a directory output."""
    pipeline = read(
        '[pipefile]\ndefault = "all"\n[alias]\nall = ["s", "out/x", "frames/", "frames/1.png", "other"]\nother = "s"\n'
        '[stage.s]\noutputs = ["out/x", "frames/"]\nrun = "x"\n'
    )
    assert pipeline.aliases == {"all": ("s", "out/x", "frames/", "frames/1.png", "other"), "other": ("s",)}
    assert pipeline.settings.default == ("all",)


def test_outside_folders(read, tmp_path):
    """Where [pipefile] says so, an output may lie outside: absolute, or by way of `..`."""
    pipeline = read('[pipefile]\noutside = ["/srv/data", "../beside"]\n[stage.s]\nrun = "x"\noutputs = ["/srv/data/x", "../beside/y/"]\n')
    outputs = pipeline.stages["s"].outputs
    assert [(output.path, output.directory) for output in outputs] == [("/srv/data/x", False), (f"{tmp_path.parent}/beside/y", True)]


def test_a_pipefile_in_a_folder(read):
    """Paths of outputs are from the root, and the stage runs in the folder."""
    stage = read('[stage.s]\nrun = "x"\noutputs = ["out/x", "../y"]\n', file="media/Pipefile.toml").stages["s"]
    assert [output.path for output in stage.outputs] == ["media/out/x", "y"]
    assert (stage.file, stage.folder) == ("media/Pipefile.toml", "media")


def test_dotenv(read, tmp_path):
    """Later files win over earlier ones, the environment over all."""
    (tmp_path / ".env").write_text("A=1\nB=1\nC=1\n")
    (tmp_path / "local.env").write_text("B=2\n")
    pipeline = read('[pipefile]\ndotenv = [".env", "./local.env", "absent.env", "x/../../absent.env"]\n', {"C": "set"})
    assert pipeline.dotenv == {"A": "1", "B": "2"}
    assert pipeline.files["local.env"] == digest.of_bytes(b"B=2\n")
    assert [path for path, found in pipeline.files.items() if found is None] == ["absent.env", f"{tmp_path.parent}/absent.env"]


def test_bom_and_crlf(read):
    """Files from any editor."""
    assert read("\ufeff[stage.s]\r\nrun = '''a\r\nb'''\r\n").stages["s"].action == Command("a\nb", ("a\nb",))


def test_names_of_stages(read):
    """Spaces, dots, slashes inside and any language are fine."""
    names = ["a b", "x.y", "media/thumbs", "größe", "-x", "a#1"]
    assert list(read("".join(f'[stage."{name}"]\nrun = "x"\n' for name in names)).stages) == names


def test_equal_commands_share_their_template(read):
    """Ten thousand stages with one command parse it once."""
    text = "".join(f'[stage.s{n}]\ninputs = {{ src = "{n}" }}\nrun = "cat {{src}}"\n' for n in range(2))
    stages = read(text).stages
    assert stages["s0"].action is stages["s1"].action
    assert stages["s0"].action.template == ("cat ", Field("src"))
