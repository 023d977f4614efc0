"""The command line end to end: results, one-line error messages, exit codes and files."""

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
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def spec(tmp_path, body):
    def write(change=lambda content: None, name="story.json"):
        change(body)
        path = tmp_path / name
        path.write_text(json.dumps(body), "utf-8")
        return path

    return write


def files_in_folder_of(spec):
    return sorted(path.name for path in spec.parent.rglob("*") if path.is_file() and "home" not in path.parts)


WRONG = [
    (
        lambda b: b["scenes"][0]["characters"][0].update(name="Mira"),
        'scenes[0].characters[0].name: no character "Mira"; did you mean "Mara"?',
    ),
    (
        lambda b: b["characters"][0].update(reference_url="mara.png"),
        'characters[0].reference_url: file "mara.png" not found',
    ),
    (lambda b: b["characters"][0].update(reference_url="."), '"." is not a file'),
    (
        lambda b: b["characters"][0].update(reference_url="http://127.0.0.1/x.png"),
        "characters[0].reference_url: is an address in a private or reserved network",
    ),
    (
        lambda b: b["characters"][0].update(reference_url="https://user:pw@example.com/x.png"),
        "must not contain a user name or password",
    ),
    (lambda b: b.update(scenes=b["scenes"][:1]), "scenes: must have at least 2 items, has 1"),
    (lambda b: b.update(models={"narrate": "nobody"}), 'models.narrate: no model or alias "nobody"'),
    (lambda b: b.update(profile="studio-x"), 'profile: no profile "studio-x"'),
]


@pytest.mark.parametrize(("change", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
@pytest.mark.parametrize("verb", ["run", "plan"])
def test_an_invalid_story_prints_one_line_to_standard_error_and_writes_no_file(command, spec, verb, change, message):
    path = spec(change)
    code, out, err = command(verb, path)
    assert code == 2
    assert message in err
    assert "Traceback" not in err + out
    assert files_in_folder_of(path) == ["story.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "none.json"], "none.json: cannot be read (No such file or directory)"),
        (["run", "story.json", "--until", "flim"], 'no "flim"; did you mean "film"?'),
        (["run", "story.json", "--type", "idea"], '--type: no request type "idea"'),
        (["run", "story.json", "--profile", "darft"], 'no profile "darft"; did you mean "draft"?'),
        (["run", "story.json", "--models", "none.yaml"], "none.yaml: cannot be read"),
        (
            ["run", "story.json", "--only", "scene 9", "--until", "keyframes"],
            'there is no "scene 9" to make in this story',
        ),
        (["reroll", "story.json", "portrait", "Mira"], 'did you mean "portrait Mara"?'),
        (["show", "zzz"], 'no run "zzz"; `ls` lists all runs'),
        (["schema", "--type", "x"], '--type: no request type "x"'),
    ],
)
def test_an_invalid_command_suggests_a_valid_one(command, spec, arguments, message):
    spec()
    code, _, err = command(*arguments)
    assert code == 2
    assert message in err


def test_an_unreadable_image_fails_before_any_step_runs(command, spec, tmp_path):
    (tmp_path / "mara.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    path = spec(lambda b: b["characters"][0].update(reference_url="mara.png"))
    code, out, err = command("run", path)
    assert code == 2
    assert "characters[0].reference_url:" in err
    assert "portrait" not in out
    assert command("ls")[1].count("failed") == 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root ignores permissions")
def test_an_output_folder_without_write_permission_fails_before_any_step_runs(command, spec, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    code, _, err = command("run", spec(), "--out", tmp_path / "locked" / "film")
    assert code == 4
    assert "choose another folder with --out" in err


def test_an_output_folder_that_is_a_file_fails_before_any_step_runs(command, spec, tmp_path):
    (tmp_path / "film").write_text("mine")
    code, _, err = command("run", spec(), "--out", tmp_path / "film")
    assert code == 4
    assert "cannot be written" in err
    assert (tmp_path / "film").read_text() == "mine"


def test_an_unusable_engine_home_exits_with_4(command, spec, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ENGINE_HOME", str(tmp_path / "file"))
    code, _, err = command("plan", spec())
    assert code == 4
    assert "as artifact store" in err


def test_plan_and_dry_run_show_the_steps_and_write_no_file(command, spec):
    path = spec()
    code, out, _ = command("plan", path)
    assert code == 0
    assert "keyframe:2" in out
    assert "33 steps: 0 cached, 33 to run" in out
    assert command("run", path, "--dry-run")[1] == out
    assert files_in_folder_of(path) == ["story.json"]


def test_plan_json_has_a_fixed_set_of_keys(command, spec):
    content = json.loads(command("plan", spec(), "--json")[1])
    assert content["complete"] is True
    assert len(content["steps"]) == 33
    assert {"id", "kind", "model", "depends_on", "cached", "seconds", "memory_mb", "bytes"} == content["steps"][
        0
    ].keys()


def test_the_plan_of_an_idea_says_that_its_storyboard_is_not_written(command, tmp_path):
    (tmp_path / "idea.json").write_text('{"idea": "A shy fox learns to drum."}')
    assert "The storyboard is not written yet" in command("plan", tmp_path / "idea.json")[1]


def test_run_edit_reroll_list_and_delete_a_story(command, spec, tmp_path):
    path = spec(small)
    code, out, err = command("run", path)
    assert code == 0, err
    film = Path(out.splitlines()[-1])
    assert film == Path("films/story/story.mp4")
    assert film.stat().st_size > 5_000
    exported = {str(one.relative_to("films/story")) for one in Path("films/story").rglob("*") if one.is_file()}
    assert exported >= {
        "portraits/01-mara.png", "portraits/01-mara-soaked.png", "portraits/02-tomas.png",
        "locations/01-lighthouse.png", "keyframes/scene-03.png", "clips/scene-01.mp4", "narration/scene-01.wav",
        "narration/scene-01.word_timings.json",
        "music.wav", "subtitles.srt", "subtitles.ass", "story.json", "storyboard.html", "timeline.json",
    }  # fmt: skip

    first = film.read_bytes()
    code, out, _ = command("run", path)
    assert "33 of 33 steps reused from cache" in out
    assert film.read_bytes() == first

    code, out, _ = command("plan", path)
    assert "33 cached, 0 to run" in out

    def edited(content):
        content["scenes"][2]["prompt"] = "The sea at night, in the snow"

    code, out, _ = command("run", spec(edited))
    done = {line.split()[1] for line in out.splitlines() if line.startswith("[")}
    redone = {"keyframe:3", "check_image:keyframe:3", "animate:3", "conform:3", "transition:2", "compose"}
    assert done == {"check_text:story", *redone}

    code, out, _ = command("reroll", path, "scene", "3", "--json")
    events = [json.loads(line) for line in out.splitlines()]
    executed = {event["step"] for event in events if event["event"] == "StepDone" and not event["cached"]}
    assert "keyframe:3" in executed
    assert executed <= redone

    rerolled = film.read_bytes()
    command("run", path)
    assert film.read_bytes() == rerolled, "a re-rolled part stays"

    code, out, _ = command("ls")
    run_id = out.splitlines()[1].split()[0]
    assert "done" in out
    code, out, _ = command("show", run_id[:6])
    assert "keyframe:3: 2" in out
    assert "0 files removed" not in command("gc", "--grace", "0")[1], "images of earlier takes are unused"
    assert "33 of 33 steps reused from cache" in command("run", path)[1]
    command("rm", run_id)
    assert command("ls")[1].strip() == "no runs yet"


def test_help_is_fast_and_imports_no_heavy_package():
    started_at = time.perf_counter()
    answer = subprocess.run(
        [sys.executable, "-m", "engine", "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "Turn stories into films" in answer.stdout
    assert time.perf_counter() - started_at < 5
    heavy = {"torch", "numpy", "PIL", "av", "cv2", "sqlite3", "yaml", "jinja2"}
    code = f"import engine.cli.main, sys; print(sorted({heavy} & sys.modules.keys()))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert answer.stdout.strip() == "[]"


def test_schema_prints_the_json_schema_of_story_files_and_of_the_record(command):
    code, out, _ = command("schema", "--type", "idea-2-video")
    assert (code, "idea" in json.loads(out)["properties"]) == (0, True)
    code, out, _ = command("schema", "--record")
    assert (code, "version" in json.loads(out)["properties"]) == (0, True)
    assert command("schema", "--markdown")[1].startswith("# Story files")


def test_the_readme_lists_every_command():
    readme = (ROOT / "README.md").read_text("utf-8")
    rows = "\n".join(line.split("|")[1] for line in readme.splitlines() if line.startswith("| `"))
    commands = {command.name or command.callback.__name__ for command in main.app.registered_commands}
    groups = {group.name for group in main.app.registered_groups}
    assert sorted(name for name in commands | groups if f"`{name}" not in rows) == []


def test_doctor_reports_devices_folders_models_and_profiles(command):
    code, out, _ = command("doctor")
    assert code == 0
    for word in ("python", "gpu", "memory", "store, history", "weights", "narrate", "profile draft"):
        assert word in out
    assert "composer: ffmpeg version" in out
    assert "for Hindi" in out


def test_models_list_shows_models_and_profiles(command):
    code, out, _ = command("models", "list")
    assert code == 0
    assert "illustrator" in out
    assert "profile draft" in out


SMALL = {"width": 256, "height": 144, "fps": 8, "transition_seconds": 0.25}


def small(content):
    content["video"] = SMALL
    content["models"] = {"narrate": "espeak"}


def start_run(spec, home):
    environment = {**os.environ, "ENGINE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-u", "-m", "engine", "run", str(spec)]
    return subprocess.Popen(
        command, cwd=spec.parent, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_steps(process, steps):
    """Read the output of a run until this many steps are done."""
    for line in process.stdout:
        if line.startswith(f"[{steps}/"):
            return
    raise AssertionError(f"the run ended before step {steps}")


@pytest.mark.skipif(os.name != "posix", reason="uses POSIX signals")
def test_a_killed_run_resumes_from_its_finished_steps(command, spec, tmp_path):
    path = spec(small)
    process = start_run(path, tmp_path / "home")
    wait_for_steps(process, 8)
    process.kill()
    process.wait()
    code, out, err = command("run", path)
    assert code == 0, err
    cached = int(next(line for line in out.splitlines() if "reused from cache" in line).split()[0])
    assert cached >= 8
    assert Path("films/story/story.mp4").is_file()
    assert not list((tmp_path / "home" / "store" / "tmp").iterdir()), "temporary files of the killed run are deleted"


@pytest.mark.skipif(os.name != "posix", reason="uses POSIX signals")
def test_an_interrupted_run_exits_with_130_and_keeps_finished_steps(spec, command, tmp_path):
    process = start_run(spec(small), tmp_path / "home")
    wait_for_steps(process, 4)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Finished steps are kept" in err
    assert "cancelled" in command("ls")[1]


def test_the_same_story_gives_the_same_film_in_another_home(command, spec, tmp_path, monkeypatch):
    path = spec(small)
    films = []
    for home in ("one", "two"):
        monkeypatch.setenv("ENGINE_HOME", str(tmp_path / home))
        code, _, err = command("run", path, "--out", tmp_path / home / "film")
        assert code == 0, err
        films.append((tmp_path / home / "film" / "story.mp4").read_bytes())
    assert films[0] == films[1]


def test_only_makes_one_part_of_a_story(command, spec):
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


def test_export_deletes_stale_files_and_keeps_files_of_the_user(command, spec, body):
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


def test_character_names_become_safe_file_names(command, spec):
    def odd(content):
        small(content)
        content["characters"] = [{"name": name, "appearance": "tall"} for name in ("../../x", "مريم", "👩‍🚀", "CON")]
        content["scenes"] = [{"prompt": "a", "characters": [{"name": "../../x"}]}, {"prompt": "b"}]

    code, _, err = command("run", spec(odd), "--until", "portraits")
    assert code == 0, err
    assert sorted(path.name for path in Path("films/story/portraits").iterdir()) == [
        "01-x.png", "02-character.png", "03-character.png", "04-con.png",
    ]  # fmt: skip
