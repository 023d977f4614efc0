"""The command line as its user meets it: what is wrong is one clear line and an exit code, and nothing is written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.cli import main

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """`command("run", "spec.json")` → (exit code, standard output, standard error), in an empty folder."""
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["engine", *map(str, arguments)])
        code = 0
        try:
            main.main()
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def spec(tmp_path, body):
    def write(change=lambda content: None, name="story.json"):
        change(body)
        path = tmp_path / name
        path.write_text(json.dumps(body), "utf-8")
        return path

    return write


def files_beside(spec):
    return sorted(path.name for path in spec.parent.rglob("*") if path.is_file() and "home" not in path.parts)


WRONG = [
    (lambda b: b["scenes"][0]["characters"][0].update(name="Mira"), 'scenes[0].characters[0].name: no character "Mira"; did you mean "Mara"?'),
    (lambda b: b["characters"][0].update(reference_url="mara.png"), 'characters[0].reference_url: no file "mara.png"'),
    (lambda b: b["characters"][0].update(reference_url="."), '"." is not a file'),
    (lambda b: b["characters"][0].update(reference_url="http://127.0.0.1/x.png"), "characters[0].reference_url: leads to an address inside a private or reserved network"),
    (lambda b: b["characters"][0].update(reference_url="https://user:pw@example.com/x.png"), "must not contain a user name or password"),
    (lambda b: b.update(scenes=b["scenes"][:1]), "scenes: must hold at least 2, holds 1"),
    (lambda b: b.update(models={"narrate": "nobody"}), 'models.narrate: no model or alias "nobody"'),
    (lambda b: b.update(profile="studio-x"), 'profile: no profile "studio-x"'),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
@pytest.mark.parametrize("verb", ["run", "plan"])
def test_a_wrong_story_is_one_line_on_standard_error_and_nothing_is_written(command, spec, verb, change, message):
    path = spec(change)
    code, out, err = command(verb, path)
    assert code == 2
    assert message in err
    assert "Traceback" not in err + out
    assert files_beside(path) == ["story.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "none.json"], "none.json: cannot be read (No such file or directory)"),
        (["run", "story.json", "--until", "flim"], 'no "flim"; did you mean "film"?'),
        (["run", "story.json", "--as", "idea"], '--as: no form "idea"'),
        (["run", "story.json", "--profile", "darft"], 'no profile "darft"; did you mean "draft"?'),
        (["run", "story.json", "--models", "none.yaml"], "none.yaml: cannot be read"),
        (
            ["run", "story.json", "--only", "scene 9", "--until", "keyframes"],
            'there is no "scene 9" to make in this story',
        ),
        (["reroll", "story.json", "portrait", "Mira"], 'did you mean "portrait Mara"?'),
        (["show", "zzz"], 'no run "zzz"; `ls` lists them'),
        (["schema", "--as", "x"], '--as: no form "x"'),
    ],
)
def test_a_wrong_command_says_what_would_be_right(command, spec, arguments, message):
    spec()
    code, _, err = command(*arguments)
    assert code == 2
    assert message in err


def test_a_picture_that_cannot_be_read_is_named_before_anything_is_made(command, spec, tmp_path):
    (tmp_path / "mara.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    path = spec(lambda b: b["characters"][0].update(reference_url="mara.png"))
    code, out, err = command("run", path)
    assert code == 2
    assert "characters[0].reference_url:" in err
    assert "portrait" not in out
    assert command("ls")[1].count("failed") == 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_found_out_before_any_work(command, spec, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    code, _, err = command("run", spec(), "--out", tmp_path / "locked" / "film")
    assert code == 4
    assert "choose another folder with --out" in err


def test_an_output_folder_that_is_a_file_is_found_out_before_any_work(command, spec, tmp_path):
    (tmp_path / "film").write_text("mine")
    code, _, err = command("run", spec(), "--out", tmp_path / "film")
    assert code == 4
    assert "cannot be written" in err
    assert (tmp_path / "film").read_text() == "mine"


def test_a_home_that_cannot_be_used_is_said(command, spec, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path / "file"))
    code, _, err = command("plan", spec())
    assert code == 4
    assert "as a store" in err


def test_a_plan_shows_the_graph_and_makes_nothing(command, spec):
    path = spec()
    code, out, _ = command("plan", path)
    assert code == 0
    assert "keyframe:2" in out
    assert "33 steps, 0 there, 33 to make" in out
    assert command("run", path, "--dry-run")[1] == out
    assert files_beside(path) == ["story.json"]


def test_a_plan_as_json_is_for_programs(command, spec):
    content = json.loads(command("plan", spec(), "--json")[1])
    assert content["complete"] is True
    assert len(content["steps"]) == 33
    assert {"id", "kind", "model", "needs", "cached", "seconds", "memory_mb", "bytes"} == content["steps"][0].keys()


def test_a_plan_of_an_idea_says_that_the_rest_is_not_written_yet(command, tmp_path):
    (tmp_path / "idea.json").write_text('{"idea": "A shy fox learns to drum."}')
    assert "The storyboard is not written yet" in command("plan", tmp_path / "idea.json")[1]


def test_a_run_ends_with_the_film_goes_on_where_it_was_and_shows_in_the_list(command, spec, tmp_path):
    path = spec(small)
    code, out, err = command("run", path)
    assert code == 0, err
    film = Path(out.splitlines()[-1])
    assert film == Path("films/story/story.mp4")
    assert film.stat().st_size > 5_000
    made = {str(one.relative_to("films/story")) for one in Path("films/story").rglob("*") if one.is_file()}
    assert made >= {
        "portraits/01-mara.png", "portraits/01-mara-soaked.png", "portraits/02-tomas.png", "locations/01-lighthouse.png",
        "keyframes/scene-03.png", "clips/scene-01.mp4", "narration/scene-01.wav", "narration/scene-01.word_timings.json",
        "music.wav", "subtitles.srt", "subtitles.ass", "story.json", "sheet.html", "timeline.json",
    }  # fmt: skip

    first = film.read_bytes()
    code, out, _ = command("run", path)
    assert "33 of 33 steps were recalled" in out
    assert film.read_bytes() == first

    code, out, _ = command("plan", path)
    assert "33 there, 0 to make" in out

    def edited(content):
        content["scenes"][2]["prompt"] = "The sea at night, in the snow"

    code, out, _ = command("run", spec(edited))
    done = {line.split()[1] for line in out.splitlines() if line.startswith("[")}
    redone = {"keyframe:3", "check_image:keyframe:3", "animate:3", "conform:3", "transition:2", "compose"}
    assert done == {"check_text:story", *redone}

    code, out, _ = command("reroll", path, "scene", "3", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    made = {event["step"] for event in events if event["event"] == "StepDone" and not event["cached"]}
    assert "keyframe:3" in made
    assert made <= redone

    rerolled = film.read_bytes()
    command("run", path)
    assert film.read_bytes() == rerolled, "what was made anew on purpose stays"

    code, out, _ = command("ls")
    run_id = out.splitlines()[1].split()[0]
    assert "done" in out
    code, out, _ = command("show", run_id[:6])
    assert "keyframe:3: 2" in out
    assert "0 files removed" not in command("gc", "--grace", "0")[1], (
        "the pictures of earlier takes are not needed any more"
    )
    assert "33 of 33 steps were recalled" in command("run", path)[1]
    command("forget", run_id)
    assert command("ls")[1].strip() == "nothing was made yet"


def test_help_answers_at_once():
    begun = time.perf_counter()
    answer = subprocess.run(
        [sys.executable, "-m", "engine", "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "Turns stories into films" in answer.stdout
    assert time.perf_counter() - begun < 5
    code = "import engine.cli.main, sys; print(sorted({'torch', 'numpy', 'PIL', 'av', 'cv2', 'sqlite3', 'yaml'} & sys.modules.keys()))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert answer.stdout.strip() == "[]"


def test_doctor_looks_at_everything(command):
    code, out, _ = command("doctor")
    assert code == 0
    for word in ("python", "gpu", "memory", "store and history", "weights", "narrate", "profile draft"):
        assert word in out
    assert "composer: ffmpeg version" in out
    assert "for Hindi" in out


def test_models_are_listed_with_their_licences(command):
    code, out, _ = command("models", "list")
    assert code == 0
    assert "illustrator" in out
    assert "profile draft" in out


SMALL = {"width": 256, "height": 144, "fps": 8, "transition_seconds": 0.25}


def small(content):
    content["video"] = SMALL
    content["models"] = {"narrate": "espeak"}


def started(spec, home):
    environment = {**os.environ, "ENGINE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-u", "-m", "engine", "run", str(spec)]
    return subprocess.Popen(
        command, cwd=spec.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def after(process, steps):
    """Read what a run says until so many steps are made."""
    for line in process.stdout:
        if line.startswith(f"[{steps}/"):
            return
    raise AssertionError("the run ended before that")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_killed_run_goes_on_where_it_was(command, spec, tmp_path):
    path = spec(small)
    process = started(path, tmp_path / "home")
    after(process, 8)
    process.kill()
    process.wait()
    code, out, err = command("run", path)
    assert code == 0, err
    recalled = int(next(line for line in out.splitlines() if "were recalled" in line).split()[0])
    assert recalled >= 8
    assert Path("films/story/story.mp4").is_file()
    assert not list((tmp_path / "home" / "store" / "tmp").iterdir()), "what the killed run left half-made is gone"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_stopped_run_says_that_nothing_is_lost(spec, command, tmp_path):
    process = started(spec(small), tmp_path / "home")
    after(process, 4)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "What was finished is kept" in err
    assert "cancelled" in command("ls")[1]


def test_the_same_story_gives_the_same_bytes_in_another_home(command, spec, tmp_path, monkeypatch):
    path = spec(small)
    films = []
    for home in ("one", "two"):
        monkeypatch.setenv("ENGINE_HOME", str(tmp_path / home))
        code, _, err = command("run", path, "--out", tmp_path / home / "film")
        assert code == 0, err
        films.append((tmp_path / home / "film" / "story.mp4").read_bytes())
    assert films[0] == films[1]


def test_only_a_part_can_be_made(command, spec):
    code, out, _ = command("run", spec(small), "--only", "portrait Mara/soaked")
    assert code == 0
    done = [line.split()[1] for line in out.splitlines() if line.startswith("[")]
    assert [step for step in done if step != "check_text:story"] == [
        "portrait:Mara",
        "check_image:portrait:Mara",
        "portrait:Mara@soaked",
        "check_image:portrait:Mara@soaked",
    ]
    assert "check_text:story" in done
    assert Path("films/story/portraits/01-mara-soaked.png").is_file()
    assert not Path("films/story/keyframes").exists()


def test_what_no_longer_belongs_is_removed_and_what_is_the_users_stays(command, spec, body):
    command("run", spec(small), "--until", "portraits")
    (Path("films/story") / "notes.txt").write_text("mine")
    code, _, err = command(
        "run",
        spec(
            lambda content: (
                content["characters"][0].update(name="Mira", states={})
                or content.update(scenes=[{"prompt": "The sea"}, {"prompt": "The hill"}])
            )
        ),
        "--until",
        "portraits",
    )
    assert code == 0, err
    assert sorted(path.name for path in Path("films/story/portraits").iterdir()) == ["01-mira.png", "02-tomas.png"]
    assert (Path("films/story") / "notes.txt").read_text() == "mine"


def test_names_of_users_never_become_paths(command, spec):
    def odd(content):
        small(content)
        content["characters"] = [{"name": name, "appearance": "tall"} for name in ("../../x", "مريم", "👩‍🚀", "CON")]
        content["scenes"] = [{"prompt": "a", "characters": [{"name": "../../x"}]}, {"prompt": "b"}]

    code, _, err = command("run", spec(odd), "--until", "portraits")
    assert code == 0, err
    assert sorted(path.name for path in Path("films/story/portraits").iterdir()) == [
        "01-x.png", "02-character.png", "03-character.png", "04-con.png",
    ]  # fmt: skip
